import { group, int, list, parquetStream, text, type ParquetColumn } from '#shared/storage/parquet.ts';
import type { Message } from '#shared/models/types.ts';
import type { Question } from '../types.ts';

/** Questions as verl's data loader reads them (specification deep-research, section 10). */

export interface VerlRow {
  data_source: string;
  prompt: { role: string; content: string }[];
  ability: string;
  reward_model: { style: 'rule' | 'model'; ground_truth: string };
  extra_info: { index: number; split: string; question_id: string };
}

/** A question as a row. `prompt`: what a rollout begins with; default the question alone. */
export function verlRow(
  question: Question,
  index: number,
  dataSource: string,
  prompt: readonly Pick<Message, 'role' | 'content'>[] = [{ role: 'user', content: question.text }],
): VerlRow {
  const report = question.kind === 'report';
  return {
    data_source: dataSource,
    prompt: prompt.map(({ role, content }) => ({ role, content: content as string })),
    ability: question.kind === 'math' || question.kind === 'code' ? question.kind : 'research',
    reward_model: {
      style: report ? 'model' : 'rule',
      ground_truth: report
        ? JSON.stringify(question.rubric ?? [])
        : ((question.kind === 'code' ? question.tests : undefined) ?? question.gold ?? ''),
    },
    extra_info: { index, split: question.split, question_id: question.id },
  };
}

const COLUMNS: ParquetColumn[] = [
  ['data_source', [text('data_source', true)]],
  ['prompt', list('prompt', group('element', 2), text('role'), text('content'))],
  ['ability', [text('ability', true)]],
  ['reward_model', [group('reward_model', 2), text('style'), text('ground_truth')]],
  ['extra_info', [group('extra_info', 3), int('index'), text('split'), text('question_id')]],
];

/** The rows as a Parquet file, as a stream. */
export const verlParquet = (rows: AsyncIterable<VerlRow> | Iterable<VerlRow>): AsyncIterable<Uint8Array> =>
  parquetStream(rows, COLUMNS);
