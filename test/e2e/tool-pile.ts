import type { Json } from '#shared/storage/ports.ts';

/** A pile of 200 tools as somebody might have it: most good, some with every kind of fault, half with other field names. */
export function importedPile(): {
  rows: Json[];
  /** Rejects by code. */
  expected: Record<string, number>;
  /** Rows that say the same as another, and tools that are another's with another question. */
  duplicates: number;
  collapsed: number;
} {
  const rows: { [field: string]: Json }[] = [];
  const expected: Record<string, number> = {};
  const add = (code: string, call: string, answer: Json, reject?: string): void => {
    const n = rows.length;
    if (reject !== undefined) expected[reject] = (expected[reject] ?? 0) + 1;
    const question = `Question ${n}: what does number ${n} come to?`;
    rows.push(
      n % 2 === 0
        ? { question, answer, code, call }
        : { query: question, ground_truth: answer, python_code: code, invocation: call },
    );
  };
  for (let n = 0; n < 6; n++) {
    add(`def broken_${n}(a):\n    return a / 0\n`, `broken_${n}(${n + 3})`, n, 'EXEC_ERROR');
    add(`def wrong_${n}(a):\n    return a + ${n}\n`, `wrong_${n}(5)`, 1000 + n, 'WRONG_VALUE');
    add(`def rooted_${n}(a):\n    return math.sqrt(a) + ${n}\n`, `rooted_${n}(16)`, 4 + n, 'EXEC_ERROR');
    add(`def fixed_${n}(a, b):\n    return ${n + 40}\n`, `fixed_${n}(1, 2)`, n + 40, 'CONSTANT_FUNCTION');
    add(`def shell_${n}(a):\n    import os\n    return a + ${n}\n`, `shell_${n}(1)`, n + 1, 'POLICY_IMPORT');
    add(
      `def frame_${n}(a):\n    import numpy\n    return a + ${n}\n`,
      `frame_${n}(1)`,
      n + 1,
      'PACKAGE_UNAVAILABLE',
    );
    add(`def unsaid_${n}(a):\n    return a +* ${n}\n`, `unsaid_${n}(1)`, n, 'SYNTAX_ERROR');
    add(`def many_${n}(a):\n    return a + ${n}\n`, `many_${n}(1) + many_${n}(2)`, 3, 'UNSUPPORTED_CALL');
    add(`def spread_${n}(*a):\n    return sum(a) + ${n}\n`, `spread_${n}(1, 2)`, 3 + n, 'SCHEMA_INVALID');
  }
  for (let n = 0; n < 2; n++) {
    add(
      `def endless_${n}(a):\n    while a > 0:\n        a += 1\n    return a\n`,
      `endless_${n}(1)`,
      1,
      'TIMEOUT',
    );
  }
  const [good, same] = [rows.length, 4];
  for (let n = 0; rows.length < 200 - 2 * same; n++) {
    const shape = [
      [
        `def total_${n}(count, price):\n    """Total price of ${n} kinds of goods."""\n    return count * price + ${n}\n`,
        `total_${n}(4, 5)`,
        20 + n,
      ],
      [
        `def gap_${n}(first, second):\n    """Difference of two amounts."""\n    return first - second - ${n}\n`,
        `gap_${n}(first=90, second=30)`,
        60 - n,
      ],
      [
        `def mean_${n}(values):\n    """Mean of values."""\n    return sum(values) / len(values) + ${n}\n`,
        `x = mean_${n}([1, 2, 3])`,
        2 + n,
      ],
    ][n % 3] as [string, string, number];
    add(...shape);
  }
  // The same again, to the letter; then the same tools, asked something else.
  rows.push(...rows.slice(good, good + same));
  rows.push(...rows.slice(good + same, good + 2 * same).map((row) => renamedQuestion(row)));
  return { rows, expected, duplicates: same, collapsed: same };
}

const renamedQuestion = (row: { [field: string]: Json }): { [field: string]: Json } => {
  const field = 'question' in row ? 'question' : 'query';
  return { ...row, [field]: `${String(row[field])} Once more.` };
};
