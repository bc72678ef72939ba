import type { Json } from '#shared/storage/ports.ts';

const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });

/** The behaviours that recorded cases name. */
const BEHAVIOURS: Record<string, (event: Json) => unknown> = {
  constant_hello: () => ({ Return: 'HelloWorld' }),
  echo: (event) => event,
  decorate_input: (event) => `input-event-${JSON.stringify(event)}`,
  raise_exception: () => {
    throw named('Exception', 'Some exception was raised.');
  },
  raise_custom_exception: () => {
    throw named('CustomException', '');
  },
  return_over_256KiB: () => 'x'.repeat(262_200),
  return_unserialisable_bytes: () => ({ bytes: 1n }),
};

/** Functions by name for a case's `lambdas`. */
export const lambdas = (names: Record<string, string>): Record<string, (event: Json) => unknown> =>
  Object.fromEntries(Object.entries(names).map(([name, behaviour]) => [name, BEHAVIOURS[behaviour]!]));
