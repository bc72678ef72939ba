import type { ServerResponse } from 'node:http';

/** The error shapes of SageMaker Runtime. */
export class ProtocolError extends Error {
  readonly status: number;
  readonly type: string;
  readonly members: Record<string, unknown>;

  constructor(status: number, type: string, text: string, members: Record<string, unknown> = {}) {
    super(text);
    this.status = status;
    this.type = type;
    this.members = members;
  }
}

export const validationError = (text: string): ProtocolError =>
  new ProtocolError(400, 'ValidationError', text);
export const throttled = (): ProtocolError => new ProtocolError(400, 'ThrottlingException', 'Rate exceeded');
export const unavailable = (text: string): ProtocolError =>
  new ProtocolError(503, 'ServiceUnavailable', text);
export const internalFailure = (text: string): ProtocolError =>
  new ProtocolError(500, 'InternalFailure', text);

/** The model's container answered with an error of its own. */
export function modelError(endpoint: string, status: number, body: string): ProtocolError {
  const text = `Received ${status >= 500 ? 'server' : 'client'} error (${status}) from primary with message "${body}".`;
  return new ProtocolError(424, 'ModelError', text, {
    OriginalStatusCode: status,
    OriginalMessage: body,
    LogStreamArn: `arn:aws:logs:us-east-1:000000000000:log-group:/aws/sagemaker/Endpoints/${endpoint}`,
  });
}

export function sendError(response: ServerResponse, error: ProtocolError): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  response.writeHead(error.status, { 'content-type': 'application/json', 'x-amzn-errortype': error.type });
  response.end(JSON.stringify({ Message: error.message, ...error.members }));
}
