/** A map run cannot read its items, form a batch or write its results; the Map state fails with it. */
export class MapRunFailure extends Error {
  override readonly name = 'MapRunFailure';
  readonly error: 'States.ItemReaderFailed' | 'States.ResultWriterFailed' | 'States.DataLimitExceeded';
  readonly cause_: string;
  constructor(error: MapRunFailure['error'], cause: string, reason?: unknown) {
    super(cause, reason === undefined ? undefined : { cause: reason });
    this.error = error;
    this.cause_ = cause;
  }
}

export const readerFailed = (cause: string, reason?: unknown): MapRunFailure =>
  new MapRunFailure('States.ItemReaderFailed', cause, reason);

/** Address of an object, as `$states.context.Map.Item.Source` and causes print it. */
export const objectUri = (bucket: string, key: string): string => `s3://${bucket}/${key}`;
