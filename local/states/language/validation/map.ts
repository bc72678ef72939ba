import { MAX_LABEL_CHARACTERS, MAX_PAYLOAD_BYTES, MAX_READER_ITEMS } from '../limits.ts';
import { marksOf } from '../expression.ts';
import type { Catcher, MapState, Retrier, Template } from '../types.ts';
import type { StateContext } from './context.ts';
import { isObject, type Fields } from './fields.ts';
import { defined, type StateReader } from './states.ts';

type Distributed = NonNullable<MapState['distributed']>;
type Reader = NonNullable<Distributed['reader']>;
type Shared = { retry: Retrier[]; catch: Catcher[]; assign?: Template; output?: Template; next?: string };

const DISTRIBUTED_FIELDS = ['ItemReader', 'ItemBatcher', 'ResultWriter', 'Label'];
const COUNT = { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true };

/** Reads a Map state, inline or distributed (embedded-platform sections 2 and 3). */
export function mapState(reader: StateReader, shared: Shared): Omit<MapState, 'name'> {
  const { fields, context, name, readStates } = reader;
  const processor = fields.child('ItemProcessor', { required: true });
  const mode = processor && processorMode(processor);
  const express = mode?.mode === 'DISTRIBUTED' ? mode.executionType === 'EXPRESS' : reader.express;
  const states = processor
    ? readStates(processor, {
        parent: context.scope,
        owner: name,
        seesParent: mode?.mode !== 'DISTRIBUTED',
        express,
      })
    : { startAt: '', states: new Map<string, never>() };
  if (mode?.mode === 'INLINE') {
    for (const field of DISTRIBUTED_FIELDS) {
      if (fields.has(field))
        fields.refuse(field, `Field '${field}' is only supported for a Map in DISTRIBUTED mode`);
    }
  }
  return {
    type: 'Map',
    ...defined({
      items: items(reader, mode?.mode === 'DISTRIBUTED'),
      itemSelector: context.template(fields, 'ItemSelector'),
      maxConcurrency: context.number(fields, 'MaxConcurrency', COUNT),
      toleratedFailureCount: context.number(fields, 'ToleratedFailureCount', COUNT),
      toleratedFailurePercentage: context.number(fields, 'ToleratedFailurePercentage', {
        min: 0,
        max: 100,
        integer: false,
      }),
    }),
    processor: states,
    ...shared,
    ...(mode?.mode === 'DISTRIBUTED' ? { distributed: distributed(reader, mode.executionType) } : {}),
  };
}

function processorMode(processor: Fields) {
  processor.only(['ProcessorConfig', 'StartAt', 'States', 'Comment']);
  processor.text('Comment');
  const config = processor.child('ProcessorConfig');
  if (!config) return { mode: 'INLINE', executionType: 'STANDARD' } as const;
  config.only(['Mode', 'ExecutionType']);
  const mode = config.choice('Mode', ['INLINE', 'DISTRIBUTED']) ?? 'INLINE';
  const executionType = config.choice('ExecutionType', ['STANDARD', 'EXPRESS'], {
    required: mode === 'DISTRIBUTED',
  });
  if (mode === 'INLINE' && executionType !== undefined) {
    config.refuse('ExecutionType', "Field 'ExecutionType' is only supported in DISTRIBUTED mode");
  }
  return { mode, executionType: executionType ?? 'STANDARD' } as const;
}

function items({ fields, context }: StateReader, isDistributed: boolean): Template | undefined {
  const value = fields.get('Items');
  if (value === undefined) return undefined;
  if (fields.has('ItemReader')) fields.refuse('Items', "Only one of 'Items' and 'ItemReader' may be given");
  const expression = typeof value === 'string' && marksOf(value) !== 'literal';
  const right = expression || Array.isArray(value) || (isDistributed && isObject(value));
  if (!right) {
    const kinds = isDistributed ? 'an array, an object' : 'an array';
    return fields.fail('Items', `Field 'Items' must be ${kinds} or a JSONata expression`);
  }
  return context.template(fields, 'Items');
}

function distributed({ fields, context }: StateReader, executionType: 'STANDARD' | 'EXPRESS'): Distributed {
  return {
    executionType,
    ...defined({
      label: label(fields),
      reader: itemReader(fields, context),
      batcher: itemBatcher(fields, context),
      writer: resultWriter(fields, context),
    }),
  };
}

const LABEL = /^[^\s\u0000-\u001f\u007f-\u009f?*<>{}[\]:;,\\|^~$#%&`"]+$/u;

function label(fields: Fields): string | undefined {
  const text = fields.text('Label');
  if (text === undefined) return undefined;
  if (text.length > MAX_LABEL_CHARACTERS) {
    return fields.fail('Label', `Field 'Label' must have at most ${MAX_LABEL_CHARACTERS} characters`);
  }
  if (!LABEL.test(text)) {
    const message =
      "Field 'Label' must not hold whitespace, control characters or any of ?*<>{}[]:;,\\|^~$#%&`\"";
    return fields.fail('Label', message);
  }
  return text;
}

const READER_RESOURCES = {
  'arn:aws:states:::s3:getObject': 's3:getObject',
  'arn:aws:states:::s3:listObjectsV2': 's3:listObjectsV2',
} as const;

function itemReader(fields: Fields, context: StateContext): Reader | undefined {
  const reader = fields.child('ItemReader');
  if (!reader) return undefined;
  reader.only(['Resource', 'Arguments', 'ReaderConfig', 'Comment']);
  const arn = reader.text('Resource', { required: true });
  const known = arn !== undefined && Object.hasOwn(READER_RESOURCES, arn);
  const resource = known ? READER_RESOURCES[arn as keyof typeof READER_RESOURCES] : undefined;
  if (arn !== undefined && !resource && !arn.includes('${')) {
    const message = `The resource '${arn}' is not supported for an ItemReader`;
    fields.diagnostics.add('UNSUPPORTED_RESOURCE', reader.at('Resource'), message);
  }
  const names = resource === 's3:listObjectsV2' ? ['Bucket', 'Prefix'] : ['Bucket', 'Key'];
  const argumentsTemplate = objectArguments(
    reader,
    context,
    'ItemReader/',
    names,
    resource === 's3:getObject' ? 2 : 1,
  );
  const config = reader.child('ReaderConfig', { required: resource === 's3:getObject' });
  if (!argumentsTemplate || !resource) {
    if (config) readerConfig(config, context, resource ?? 's3:getObject');
    return undefined;
  }
  return {
    resource,
    arguments: argumentsTemplate,
    ...(config ? readerConfig(config, context, resource) : {}),
  };
}

function readerConfig(config: Fields, context: StateContext, resource: Reader['resource']): Partial<Reader> {
  config.only([
    'InputType',
    'CSVHeaderLocation',
    'CSVHeaders',
    'CSVDelimiter',
    'MaxItems',
    'ItemsPointer',
    'Transformation',
  ]);
  const transformation = config.choice('Transformation', ['NONE', 'LOAD_AND_FLATTEN']);
  if (transformation !== undefined && resource === 's3:getObject') {
    config.refuse('Transformation', "Field 'Transformation' is only supported for s3:listObjectsV2");
  }
  const reads = resource === 's3:getObject' || transformation === 'LOAD_AND_FLATTEN';
  const inputType = config.choice('InputType', ['JSON', 'JSONL', 'CSV'], { required: reads });
  if (!reads && inputType !== undefined) {
    config.refuse(
      'InputType',
      "Field 'InputType' needs 'Transformation' LOAD_AND_FLATTEN for s3:listObjectsV2",
    );
  }
  if (config.has('ItemsPointer') && inputType !== 'JSON') {
    config.refuse('ItemsPointer', "Field 'ItemsPointer' is only supported for InputType JSON");
  }
  const prefix = 'ItemReader/ReaderConfig/';
  return defined({
    inputType,
    transformation,
    ...csvFields(config, inputType),
    itemsPointer: context.text(config, 'ItemsPointer', pointerProblem, { prefix }),
    maxItems: context.number(
      config,
      'MaxItems',
      { min: 1, max: MAX_READER_ITEMS, integer: true },
      { prefix },
    ),
  }) as Partial<Reader>;
}

const pointerProblem = (text: string): string | undefined =>
  text === '' || (text.startsWith('/') && !/~(?![01])/.test(text))
    ? undefined
    : 'must be a JSON Pointer such as /a/b';

function csvFields(config: Fields, inputType: Reader['inputType']) {
  if (inputType !== 'CSV') {
    for (const name of ['CSVHeaderLocation', 'CSVHeaders', 'CSVDelimiter']) {
      if (config.has(name)) config.refuse(name, `Field '${name}' is only supported for InputType CSV`);
    }
    return {};
  }
  const location = config.choice('CSVHeaderLocation', ['FIRST_ROW', 'GIVEN'], { required: true });
  const headers = config.get('CSVHeaders');
  const valid =
    Array.isArray(headers) && headers.length > 0 && headers.every((name) => typeof name === 'string');
  if (headers !== undefined && !valid) {
    config.refuse('CSVHeaders', "Field 'CSVHeaders' must be a non-empty array of strings");
  }
  if (location === 'GIVEN' && headers === undefined) config.missing('CSVHeaders');
  if (location === 'FIRST_ROW' && headers !== undefined) {
    config.refuse('CSVHeaders', "Field 'CSVHeaders' needs 'CSVHeaderLocation' GIVEN");
  }
  return {
    csvHeaderLocation: location,
    csvHeaders: valid ? (headers as string[]) : undefined,
    csvDelimiter: config.choice('CSVDelimiter', ['COMMA', 'PIPE', 'SEMICOLON', 'SPACE', 'TAB']),
  };
}

/** The `Arguments` of a reader or writer; a literal object must hold the first `required` names and no others. */
function objectArguments(
  fields: Fields,
  context: StateContext,
  prefix: string,
  names: readonly string[],
  required: number,
): Template | undefined {
  const value = fields.get('Arguments');
  if (value === undefined) {
    fields.missing('Arguments');
    return undefined;
  }
  if (isObject(value)) {
    const inner = fields.child('Arguments')!;
    inner.only(names);
    for (const name of names.slice(0, required)) if (!inner.has(name)) inner.missing(name);
  } else if (typeof value !== 'string' || marksOf(value) === 'literal') {
    return fields.fail('Arguments', "Field 'Arguments' must be an object or a JSONata expression");
  }
  return context.template(fields, 'Arguments', { prefix });
}

function itemBatcher(fields: Fields, context: StateContext): Distributed['batcher'] {
  const batcher = fields.child('ItemBatcher');
  if (!batcher) return undefined;
  batcher.only(['MaxItemsPerBatch', 'MaxInputBytesPerBatch', 'BatchInput', 'Comment']);
  if (!batcher.has('MaxItemsPerBatch') && !batcher.has('MaxInputBytesPerBatch')) {
    const message = "At least one of 'MaxItemsPerBatch' and 'MaxInputBytesPerBatch' is required";
    fields.diagnostics.schema(batcher.pointer, message);
  }
  const prefix = 'ItemBatcher/';
  const bytes = { min: 1, max: MAX_PAYLOAD_BYTES, integer: true };
  return defined({
    maxItems: context.number(batcher, 'MaxItemsPerBatch', { ...COUNT, min: 1 }, { prefix }),
    maxBytes: context.number(batcher, 'MaxInputBytesPerBatch', bytes, { prefix }),
    batchInput: context.template(batcher, 'BatchInput', { prefix }),
  });
}

function resultWriter(fields: Fields, context: StateContext): Distributed['writer'] {
  const writer = fields.child('ResultWriter');
  if (!writer) return undefined;
  writer.only(['Resource', 'Arguments', 'WriterConfig', 'Comment']);
  const arn = writer.text('Resource');
  if (arn !== undefined && arn !== 'arn:aws:states:::s3:putObject' && !arn.includes('${')) {
    const message = `The resource '${arn}' is not supported for a ResultWriter`;
    fields.diagnostics.add('UNSUPPORTED_RESOURCE', writer.at('Resource'), message);
  }
  const exports = writer.has('Resource') || writer.has('Arguments');
  if (exports && arn === undefined) writer.missing('Resource');
  if (!exports && !writer.has('WriterConfig')) {
    fields.diagnostics.schema(writer.pointer, "'Resource' and 'Arguments', or 'WriterConfig', are required");
  }
  const config = writer.child('WriterConfig');
  config?.only(['OutputType', 'Transformation']);
  return {
    ...(exports
      ? {
          resource: 's3:putObject' as const,
          ...defined({
            arguments: objectArguments(writer, context, 'ResultWriter/', ['Bucket', 'Prefix'], 1),
          }),
        }
      : {}),
    transformation: config?.choice('Transformation', ['NONE', 'COMPACT', 'FLATTEN']) ?? 'NONE',
    outputType: config?.choice('OutputType', ['JSON', 'JSONL']) ?? 'JSON',
  };
}
