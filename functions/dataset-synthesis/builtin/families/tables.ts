import { capitalise, type Fact } from '../fact.ts';
import type { Table } from '../page.ts';
import type { Subject } from '../subject.ts';
import { PATTERN } from '../values.ts';

/** Facts of tables: the first column names things, the others tell about them. */

const YEAR_IN_HEADER = /^(.*?)\s*[,(]?\s*\(?((?:1[5-9]|20)\d{2})\)?$/;
const UNIT_IN_HEADER = /^(.*?)\s*[([]\s*([^()[\]]{1,20})\s*[)\]]$/;

const HEADINGS: Record<string, string> = {
  default: 'default value',
  type: 'type',
  founded: 'founded',
  opened: 'opened',
  built: 'built',
  completed: 'completed',
  discovered: 'discovered',
  invented: 'invented',
  published: 'published',
};

/** Facts of every row whose label and cell are plain. */
export function tableFacts(table: Table, subject: Subject | undefined): Fact[] {
  const out: Fact[] = [];
  const labels = table.rows.map((row) => row.cells[0] ?? '');
  // A label that stands twice names nothing.
  const repeated = new Set(labels.filter((label, index) => labels.indexOf(label) !== index));
  const kind = (table.header[0] ?? '').toLowerCase();
  for (const row of table.rows) {
    const label = row.cells[0]?.replace(/\*\*/g, '').trim() ?? '';
    const code = /^`[^`]+`$/.test(label);
    if (label === '' || repeated.has(label) || label.split(' ').length > 5) continue;
    if (!code && !/^\p{Lu}[\p{L}\p{M}\p{N}'’. -]+$/u.test(label)) continue;
    for (let column = 1; column < table.header.length; column++) {
      const raw = row.cells[column]?.trim() ?? '';
      const cell = raw.replace(/^`|`$/g, '');
      let heading = table.header[column]!.replace(/[*`]/g, '').trim();
      if (cell === '' || heading === '') continue;
      const year = YEAR_IN_HEADER.exec(heading);
      if (year) heading = year[1]!;
      const unit = UNIT_IN_HEADER.exec(heading);
      if (unit) heading = unit[1]!;
      const key = /^\p{Lu}{2,}|\p{Ll}\p{Lu}/u.test(heading) ? heading : heading.toLowerCase();
      if (
        key.split(' ').length > 4 ||
        /\b(?:note|notes|remarks?|description|meaning|comment|source|link|purpose)\b/.test(key)
      )
        continue;
      const place =
        subject && (code || /^(?:option|parameter|setting|flag|field|key|column|code|status)$/.test(kind))
          ? ` in ${subject.name}`
          : '';
      const thing = code && kind !== '' && kind.split(' ').length === 1 ? `the ${kind} ${label}` : label;
      const participle = HEADINGS[key] === key && key !== 'type';
      const name = PATTERN.name.exec(cell)?.groups?.a;
      const number = /^[-−]?\d[\d,]*(?:\.\d+)?$/.test(cell);
      const quantity = PATTERN.quantity.test(cell) || PATTERN.percent.test(cell) || PATTERN.money.test(cell);
      const atYear = year ? ` in ${year[2]}` : '';
      const inUnit = unit && number ? `, in ${unit[2]}` : '';
      const maker =
        /^(?:author|discoverer|inventor|designer|architect|composer|founder|painter|developer|creator|engineer)$/.test(
          key,
        );
      let question: string;
      let answerType: Fact['answerType'];
      if (participle && /^(?:1\d|20)\d{2}$/.test(cell)) {
        question = `in what year was ${thing}${place} ${key}?`;
        answerType = 'date';
      } else if (participle) continue;
      else if (maker && name) {
        question = `who was the ${key} of ${thing}${place}?`;
        answerType = 'name';
      } else if (number || quantity || name || (code && /^\S+$/.test(cell))) {
        question = `what ${atYear ? 'was' : 'is'} the ${HEADINGS[key] ?? key} of ${thing}${place}${inUnit}${atYear}?`;
        answerType = number ? 'number' : quantity ? 'quantity' : name ? 'name' : 'expression';
        if (number && /^(?:1[5-9]|20)\d{2}$/.test(cell) && /\b(?:year|date)\b/.test(key)) answerType = 'date';
      } else continue;
      // What changes must be dated.
      if (!year && /\b(?:population|price|revenue|visitors|passengers|students|members)\b/.test(key))
        continue;
      out.push({
        family: 'table',
        question: capitalise(question),
        answer: cell,
        answerType,
        aliases: [],
        evidence: row.raw,
        score: 2,
        group: `${label}/${key}`,
      });
    }
  }
  return out;
}
