import { StateFailed } from '../engine/failure.ts';

/** A service's own error as an integration reports it: its name and its cause as plain text. */
export const serviceError = (error: string, cause: string): StateFailed => new StateFailed({ error, cause });

/** The end of a service's message, as the service's SDK prints it. */
export const signed = (service: string, status: number, requestId: string): string =>
  `(Service: ${service}, Status Code: ${status}, Request ID: ${requestId})`;

/** Thrown by an `invoke` that knows no such function. */
export class FunctionNotFound extends Error {
  override readonly name = 'Lambda.ResourceNotFoundException';
  constructor(functionName: string) {
    super(`Function not found: ${functionName}`);
  }
}
