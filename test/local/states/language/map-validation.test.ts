import { describe, expect, it } from 'vitest';
import type { Json } from '#shared/storage/ports.ts';
import { DISTRIBUTED, machine, map, problems, stateOf, type Definition } from './definitions.ts';

const inner: Definition = { I: { Type: 'Pass', End: true } };
const distributed = (fields: Definition): Definition => machine({ S: map(inner, fields, DISTRIBUTED) });
const at = (path: string): string[] => [`SCHEMA_VALIDATION_FAILED /States/S/${path}`];

const getObject = (config: Json, more: Definition = {}): Definition => ({
  ItemReader: {
    Resource: 'arn:aws:states:::s3:getObject',
    Arguments: { Bucket: 'b', Key: 'k' },
    ReaderConfig: config,
    ...more,
  },
});
const listObjects = (config?: Json): Definition => ({
  ItemReader: {
    Resource: 'arn:aws:states:::s3:listObjectsV2',
    Arguments: { Bucket: 'b', Prefix: 'p' },
    ...(config === undefined ? {} : { ReaderConfig: config }),
  },
});

describe('Distributed Map fields', () => {
  it.each<[string, Definition, string[]]>([
    ['Items beside ItemReader', { Items: [], ...getObject({ InputType: 'JSON' }) }, at('Items')],
    ['no InputType', getObject({}), at('ItemReader/ReaderConfig')],
    ['MANIFEST', getObject({ InputType: 'MANIFEST' }), at('ItemReader/ReaderConfig/InputType')],
    ['PARQUET', getObject({ InputType: 'PARQUET' }), at('ItemReader/ReaderConfig/InputType')],
    ['CSV without header location', getObject({ InputType: 'CSV' }), at('ItemReader/ReaderConfig')],
    [
      'GIVEN without headers',
      getObject({ InputType: 'CSV', CSVHeaderLocation: 'GIVEN' }),
      at('ItemReader/ReaderConfig'),
    ],
    [
      'headers with FIRST_ROW',
      getObject({ InputType: 'CSV', CSVHeaderLocation: 'FIRST_ROW', CSVHeaders: ['a'] }),
      at('ItemReader/ReaderConfig/CSVHeaders'),
    ],
    [
      'another delimiter',
      getObject({ InputType: 'CSV', CSVHeaderLocation: 'FIRST_ROW', CSVDelimiter: ';' }),
      at('ItemReader/ReaderConfig/CSVDelimiter'),
    ],
    [
      'CSV fields for JSON',
      getObject({ InputType: 'JSON', CSVDelimiter: 'TAB' }),
      at('ItemReader/ReaderConfig/CSVDelimiter'),
    ],
    [
      'a pointer for JSONL',
      getObject({ InputType: 'JSONL', ItemsPointer: '/a' }),
      at('ItemReader/ReaderConfig/ItemsPointer'),
    ],
    [
      'a pointer that is none',
      getObject({ InputType: 'JSON', ItemsPointer: 'a' }),
      at('ItemReader/ReaderConfig/ItemsPointer'),
    ],
    [
      'no items at all',
      getObject({ InputType: 'JSON', MaxItems: 0 }),
      at('ItemReader/ReaderConfig/MaxItems'),
    ],
    [
      'too many items',
      getObject({ InputType: 'JSON', MaxItems: 100_000_001 }),
      at('ItemReader/ReaderConfig/MaxItems'),
    ],
    [
      'an unknown argument',
      getObject({ InputType: 'JSON' }, { Arguments: { Bucket: 'b', Key: 'k', VersionId: 'v' } }),
      at('ItemReader/Arguments/VersionId'),
    ],
    ['no key', getObject({ InputType: 'JSON' }, { Arguments: { Bucket: 'b' } }), at('ItemReader/Arguments')],
    [
      'a transformation of one object',
      getObject({ InputType: 'JSON', Transformation: 'NONE' }),
      at('ItemReader/ReaderConfig/Transformation'),
    ],
    [
      'InputType of a plain listing',
      listObjects({ InputType: 'JSON' }),
      at('ItemReader/ReaderConfig/InputType'),
    ],
    [
      'flattening of nothing known',
      listObjects({ Transformation: 'LOAD_AND_FLATTEN' }),
      at('ItemReader/ReaderConfig'),
    ],
    ['an empty batcher', { ItemBatcher: {} }, at('ItemBatcher')],
    [
      'batches over 256 KiB',
      { ItemBatcher: { MaxInputBytesPerBatch: 262_145 } },
      at('ItemBatcher/MaxInputBytesPerBatch'),
    ],
    ['an empty writer', { ResultWriter: {} }, at('ResultWriter')],
    [
      'a writer without arguments',
      { ResultWriter: { Resource: 'arn:aws:states:::s3:putObject' } },
      at('ResultWriter'),
    ],
    ['a writer without resource', { ResultWriter: { Arguments: { Bucket: 'b' } } }, at('ResultWriter')],
    [
      'an unknown output type',
      { ResultWriter: { WriterConfig: { OutputType: 'CSV' } } },
      at('ResultWriter/WriterConfig/OutputType'),
    ],
    ['a label of 41 characters', { Label: 'x'.repeat(41) }, at('Label')],
    ['a label with a space', { Label: 'a b' }, at('Label')],
    ['a label with a colon', { Label: 'a:b' }, at('Label')],
    ['a label with a control character', { Label: 'a\u0007b' }, at('Label')],
    ['a negative concurrency', { MaxConcurrency: -1 }, at('MaxConcurrency')],
  ])('refuses %s', (_, fields, expected) => {
    expect(problems(distributed(fields))).toEqual(expected);
  });

  it('refuses other resources of readers and writers', () => {
    const fields = {
      ItemReader: { Resource: 'arn:aws:states:::s3:headObject', Arguments: { Bucket: 'b', Key: 'k' } },
      ResultWriter: { Resource: 'arn:aws:states:::sqs:sendMessage', Arguments: { Bucket: 'b' } },
    };
    expect(problems(distributed(fields))).toEqual([
      'UNSUPPORTED_RESOURCE /States/S/ItemReader/Resource',
      'UNSUPPORTED_RESOURCE /States/S/ResultWriter/Resource',
    ]);
  });

  it('refuses distributed fields on an inline Map', () => {
    const fields = { ...getObject({ InputType: 'JSON' }), Label: 'l' };
    expect(problems(machine({ S: map(inner, fields) }))).toEqual([...at('ItemReader'), ...at('Label')]);
  });

  it('refuses tasks that wait for an answer within EXPRESS children', () => {
    const task = { Type: 'Task', Arguments: { FunctionName: 'f' }, End: true };
    const states = (resource: string) => ({
      I: { ...task, Resource: `arn:aws:states:::lambda:${resource}` },
    });
    const express = { Mode: 'DISTRIBUTED', ExecutionType: 'EXPRESS' };
    expect(problems(machine({ S: map(states('invoke.waitForTaskToken'), {}, express) }))).toEqual([
      'UNSUPPORTED_RESOURCE /States/S/ItemProcessor/States/I/Resource',
    ]);
    expect(problems(machine({ S: map(states('invoke'), {}, express) }))).toEqual([]);
  });

  it('compiles every field', () => {
    const state = stateOf<'Map'>(
      distributed({
        ...getObject({
          InputType: 'CSV',
          CSVHeaderLocation: 'GIVEN',
          CSVHeaders: ['a', 'b'],
          CSVDelimiter: 'PIPE',
          MaxItems: '{% $maxItems := 2 %}',
        }),
        ItemSelector: { v: '{% $states.context.Map.Item.Value %}' },
        ItemBatcher: { MaxItemsPerBatch: 2, BatchInput: { k: 7 } },
        ResultWriter: {
          Resource: 'arn:aws:states:::s3:putObject',
          Arguments: { Bucket: 'b', Prefix: 'p' },
          WriterConfig: { Transformation: 'COMPACT', OutputType: 'JSONL' },
        },
        Label: 'Lines',
        MaxConcurrency: 10,
        ToleratedFailureCount: 1,
        ToleratedFailurePercentage: 2.5,
      }),
    );
    expect(state.distributed).toMatchObject({
      executionType: 'STANDARD',
      label: 'Lines',
      reader: {
        resource: 's3:getObject',
        inputType: 'CSV',
        csvHeaderLocation: 'GIVEN',
        csvHeaders: ['a', 'b'],
        csvDelimiter: 'PIPE',
        arguments: { field: 'ItemReader/Arguments', constant: true },
        maxItems: { field: 'ItemReader/ReaderConfig/MaxItems', constant: false },
      },
      batcher: { maxItems: { source: 2 }, batchInput: { field: 'ItemBatcher/BatchInput' } },
      writer: {
        resource: 's3:putObject',
        arguments: { field: 'ResultWriter/Arguments' },
        transformation: 'COMPACT',
        outputType: 'JSONL',
      },
    });
  });

  it('exports everything as it is by default, and formats without exporting', () => {
    const writer = { Resource: 'arn:aws:states:::s3:putObject', Arguments: { Bucket: 'b' } };
    expect(stateOf<'Map'>(distributed({ ResultWriter: writer })).distributed?.writer).toMatchObject({
      transformation: 'NONE',
      outputType: 'JSON',
    });
    const formatted = { WriterConfig: { Transformation: 'FLATTEN', OutputType: 'JSON' } };
    expect(stateOf<'Map'>(distributed({ ResultWriter: formatted })).distributed?.writer).toEqual({
      transformation: 'FLATTEN',
      outputType: 'JSON',
    });
  });
});

describe('scopes of variables', () => {
  const assign = (name: string, next?: string): Json => ({
    Type: 'Pass',
    Assign: { [name]: 1 },
    ...(next ? { Next: next } : { End: true }),
  });
  const parallel = (states: Definition, fields: Definition = {}): Json => ({
    Type: 'Parallel',
    Branches: [{ StartAt: Object.keys(states)[0]!, States: states }],
    End: true,
    ...fields,
  });

  it('compares a scope with all scopes around it, wherever they assign', () => {
    const deep = parallel({ B: parallel({ C: assign('x') }) });
    expect(
      problems(machine({ A: parallel({ B: parallel({ C: assign('x') }) }, { Assign: { x: 1 } }) })),
    ).toEqual(['VARIABLE_CONFLICT /States/A/Branches/0/States/B/Branches/0/States/C/Assign/x']);
    expect(problems(machine({ A: { ...(deep as object), Next: 'Z' } as Json, Z: assign('x') }))).toContain(
      'VARIABLE_CONFLICT /States/A/Branches/0/States/B/Branches/0/States/C/Assign/x',
    );
  });

  it('lets siblings use the same name', () => {
    const branch = { StartAt: 'B', States: { B: assign('x') } };
    expect(problems(machine({ A: { Type: 'Parallel', Branches: [branch, branch], End: true } }))).toEqual([]);
  });

  it("lets a catcher of the Parallel assign a branch's name, as the service does", () => {
    const caught = { Catch: [{ ErrorEquals: ['States.ALL'], Assign: { x: 1 }, Next: 'Z' }] };
    expect(problems(machine({ A: parallel({ B: assign('x') }, caught), Z: { Type: 'Succeed' } }))).toEqual(
      [],
    );
    const later = { Type: 'Task', Resource: 'arn:aws:lambda:us-east-1:1:function:f', End: true, ...caught };
    expect(
      problems(
        machine({
          A: { ...(parallel({ B: assign('x') }) as object), End: false, Next: 'T' },
          T: later,
          Z: { Type: 'Succeed' },
        }),
      ),
    ).toEqual(['VARIABLE_CONFLICT /States/A/Branches/0/States/B/Assign/x']);
  });

  it('keeps outer variables from distributed children, but not from inline ones', () => {
    const reads: Definition = { I: { Type: 'Pass', Output: '{% $k %}', End: true } };
    const around = (config?: Definition) => machine({ A: assign('k', 'M'), M: map(reads, {}, config) });
    expect(problems(around())).toEqual([]);
    expect(problems(around(DISTRIBUTED))).toEqual([
      'VARIABLE_CONFLICT /States/M/ItemProcessor/States/I/Output',
    ]);
  });

  it('lets distributed children have variables of their own, of any name', () => {
    const own: Definition = {
      I: { Type: 'Pass', Assign: { k: 2 }, Next: 'J' },
      J: { Type: 'Pass', Output: '{% $k %}', End: true },
    };
    expect(problems(machine({ A: assign('k', 'M'), M: map(own, {}, DISTRIBUTED) }))).toEqual([]);
  });

  it('does not take what an expression binds itself for an outer variable', () => {
    const reads: Definition = {
      I: { Type: 'Pass', Output: '{% ($k := 1; $map([1], function($k) { $k })) %}', End: true },
    };
    expect(problems(machine({ A: assign('k', 'M'), M: map(reads, {}, DISTRIBUTED) }))).toEqual([]);
  });
});
