import fc from 'fast-check';

/** Any sequence of UTF-16 units, lone surrogates and control characters included. */
export const anyText = (maxLength = 40): fc.Arbitrary<string> =>
  fc.uint16Array({ maxLength }).map((units) => String.fromCharCode(...units));
