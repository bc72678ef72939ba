/** Lexemes of mathematical text. */

export type Lexeme =
  | { type: 'number'; text: string; value: number }
  /** `letter`: a name that may be multiplied without a sign; `word`: one that may not. */
  | { type: 'letter' | 'word' | 'function' | 'constant' | 'symbol'; text: string };

const GREEK = new Set([
  'alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta', 'eta', 'theta', 'iota', 'kappa', 'lambda', 'mu', 'nu', 'xi',
  'rho', 'sigma', 'tau', 'phi', 'chi', 'psi', 'omega', 'varphi', 'varepsilon', 'Gamma', 'Delta', 'Theta', 'Lambda',
  'Sigma', 'Phi', 'Psi', 'Omega',
]); // prettier-ignore
const GREEK_LETTERS = 'αβγδεζηθικλμνξορστυφχψω';
const COMMANDS: Record<string, string> = {
  cdot: '*', times: '*', div: '/', lvert: '|', rvert: '|', vert: '|', lbrack: '[', rbrack: ']', ast: '*',
}; // prettier-ignore
const SIGNS: Record<string, string> = { '×': '*', '·': '*', '⋅': '*', '∗': '*', '÷': '/', '∕': '/' };

const NUMBER = /(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,400})(?:\.\d{1,400})?|\.\d{1,400}/y;
const EXPONENT = /[eE][+-]?\d{1,3}(?![\dA-Za-z.])/y;
const NAME = /[A-Za-z]+/y;
const SUBSCRIPT = /_(?:([A-Za-z0-9])|\{([A-Za-z0-9]{1,20})\})/y;

/** The lexemes of an undressed text, else undefined. */
export function tokenise(
  text: string,
  { functions, python }: { functions: Record<string, unknown>; python: boolean },
): Lexeme[] | undefined {
  const out: Lexeme[] = [];
  const runs = [...text.matchAll(/\\?[A-Za-z]+/g)].map(([run]) => run).filter((run) => !run.startsWith('\\'));
  const isName = (run: string): boolean =>
    run.length === 1 || Object.hasOwn(functions, run) || run === 'pi' || GREEK.has(run);
  // Two or three letters are a product in `2ab + c` and a word in `red-hot`.
  const splits =
    !python &&
    /[\d^\\(=*]/.test(text) &&
    runs.every((run) => run.length <= 3 || isName(run)) &&
    !/[a-z]\d/i.test(text);
  let at = 0;
  const sticky = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at += match[0].length;
    return match;
  };
  const identifier = (name: string, type: 'letter' | 'word'): void => {
    const subscript = sticky(SUBSCRIPT);
    out.push({ type, text: subscript ? `${name}_${subscript[1] ?? subscript[2]!}` : name });
  };
  const pushName = (name: string, command: boolean): void => {
    const lower = name === 'Abs' ? 'abs' : name;
    if (Object.hasOwn(functions, lower)) out.push({ type: 'function', text: lower });
    else if (name === 'pi') out.push({ type: 'constant', text: 'pi' });
    else if ((name === 'e' && !python) || (name === 'E' && python)) out.push({ type: 'constant', text: 'e' });
    else if (name === 'I' && python) out.push({ type: 'letter', text: 'i' });
    else if (name.length === 1 || GREEK.has(name)) identifier(name, 'letter');
    else if (splits && !command) for (const letter of splitName(name, functions)) pushName(letter, false);
    else identifier(name, 'word');
  };
  while (at < text.length) {
    const char = text[at]!;
    if (char === ' ') at++;
    else if (char === '\\') {
      at++;
      const name = sticky(NAME)?.[0];
      if (name === undefined) return undefined;
      if (COMMANDS[name] !== undefined) out.push({ type: 'symbol', text: COMMANDS[name] });
      else if (/^[dtc]?frac$/.test(name)) out.push({ type: 'function', text: 'frac' });
      else if (Object.hasOwn(functions, name) || name === 'pi' || GREEK.has(name)) pushName(name, true);
      else return undefined;
    } else if (/[\d.]/.test(char)) {
      const match = sticky(NUMBER);
      if (!match) return undefined;
      // A leading zero is a date's, a code's or a clock's.
      if (/^0\d/.test(match[0])) return undefined;
      const exponent = sticky(EXPONENT)?.[0] ?? '';
      const digits = match[0].replaceAll(',', '') + exponent;
      out.push({ type: 'number', text: digits, value: Number(digits) });
    } else if (/[A-Za-z]/.test(char)) pushName(sticky(NAME)![0], false);
    else if (char === 'π' || char === '𝜋') {
      at++;
      out.push({ type: 'constant', text: 'pi' });
    } else if (char === '√') {
      at++;
      out.push({ type: 'function', text: 'sqrt' });
    } else if (GREEK_LETTERS.includes(char)) {
      at++;
      identifier(char, 'letter');
    } else if (text.startsWith('**', at)) {
      at += 2;
      out.push({ type: 'symbol', text: '^' });
    } else {
      const sign = SIGNS[char] ?? char;
      if (!'+-*/^()[]{}|!,_'.includes(sign)) return undefined;
      at++;
      out.push({ type: 'symbol', text: sign });
    }
  }
  return out;
}

/** `xsin` is x and sin; letters otherwise. */
function splitName(name: string, functions: Record<string, unknown>): string[] {
  for (let cut = 1; cut < name.length; cut++) {
    if (Object.hasOwn(functions, name.slice(cut)) || name.slice(cut) === 'pi') {
      return [...name.slice(0, cut), name.slice(cut)];
    }
  }
  return [...name];
}
