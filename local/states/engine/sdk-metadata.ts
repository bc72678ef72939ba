import type { Json } from '#shared/storage/ports.ts';

/** The `SdkHttpMetadata` and `SdkResponseMetadata` that the service adds to results, with our own request id. */
export function sdkMetadata(
  requestId: string,
  body: string,
  more: Record<string, string> = {},
): { [key: string]: Json } {
  const length = String(Buffer.byteLength(body));
  const headers: Record<string, string> = {
    Connection: 'keep-alive',
    'Content-Length': length,
    'Content-Type': 'application/json',
    ...more,
    'x-amzn-RequestId': requestId,
  };
  return {
    SdkHttpMetadata: {
      AllHttpHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
      HttpHeaders: headers,
      HttpStatusCode: 200,
    },
    SdkResponseMetadata: { RequestId: requestId },
  };
}
