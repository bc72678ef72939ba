import { normaliseText } from '#shared/research/facts/normalise.ts';
import type { RubricItem } from '#shared/research/types.ts';
import { STOP_WORDS } from '#shared/text/stop-words.ts';
import { stem } from '#shared/text/stem.ts';
import type { GradeReportInput, GradeReportOutput } from '../roles/grade-report.ts';

/** Words a report of full marks for writing has at least and at most. */
const LEAST_WORDS = 60;
const MOST_WORDS = 3000;
/** The share of repeated five-word sequences from which writing earns nothing. */
const MOST_REPETITION = 0.3;

/**
 * Grades by what can be counted: an item with phrases by the share of them that the report has, as words in their
 * order; others by the share of their statement's topical words; writing by length, headings and repetition; citations
 * by how many of the paragraphs carry one.
 */
export function gradeReport({ rubric, report }: GradeReportInput): GradeReportOutput {
  const text = ` ${normaliseText(report)} `;
  const words = text.trim().split(' ');
  const stems = new Set(words.map(stem));
  const form = { writing: writingScore(report, words), citations: citationScore(report) };
  return {
    items: rubric.map((item) => {
      const score = Math.round(scoreOf(item, text, stems, form) * 1000) / 1000;
      return { id: item.id, reason: reasonOf(item), score };
    }),
  };
}

const reasonOf = ({ category, phrases }: RubricItem): string =>
  phrases?.length
    ? 'The share of the phrases that the report has.'
    : category === 'writing'
      ? 'Length, headings and repetition.'
      : category === 'citations'
        ? 'The share of the paragraphs with a citation.'
        : 'The share of the topical words that the report has.';

function scoreOf(
  { category, phrases, statement }: RubricItem,
  text: string,
  stems: ReadonlySet<string>,
  form: { writing: number; citations: number },
): number {
  if (phrases?.length) {
    return phrases.filter((phrase) => text.includes(` ${normaliseText(phrase)} `)).length / phrases.length;
  }
  if (category === 'writing' || category === 'citations') return form[category];
  const topical = new Set(
    normaliseText(statement)
      .split(' ')
      .filter((word) => word !== '' && !STOP_WORDS.has(word))
      .map(stem),
  );
  return topical.size === 0 ? 0 : [...topical].filter((word) => stems.has(word)).length / topical.size;
}

/** A third each: length within bounds, at least two headings, few repetitions. */
function writingScore(report: string, words: readonly string[]): number {
  const length =
    words.length < LEAST_WORDS
      ? words.length / LEAST_WORDS
      : words.length > MOST_WORDS
        ? MOST_WORDS / words.length
        : 1;
  const headings = Math.min(1, (report.match(/^#{1,6}\s+\S/gm)?.length ?? 0) / 2);
  const sequences = words.slice(4).map((_, index) => words.slice(index, index + 5).join(' '));
  const repeated = sequences.length === 0 ? 0 : 1 - new Set(sequences).size / sequences.length;
  return (length + headings + Math.max(0, 1 - repeated / MOST_REPETITION)) / 3;
}

/** The share of the paragraphs of prose that carry a citation's mark. */
function citationScore(report: string): number {
  const paragraphs = report
    .split(/\n\s*\n/)
    .filter((part) => !/^\s*#/.test(part) && part.trim().split(/\s+/).length >= 5);
  if (paragraphs.length === 0) return 0;
  return paragraphs.filter((part) => /\[\d{1,3}\]/.test(part)).length / paragraphs.length;
}
