import { walk, type AstNode } from '../python/ast.ts';
import { nodesOf } from './literals.ts';

/** What tools may import and call (section 3). The sandbox holds without it; a library should not ask for more. */

const ALLOWED = new Set([
  'abc', 'bisect', 'calendar', 'cmath', 'collections', 'copy', 'dataclasses', 'datetime', 'decimal', 'difflib',
  'enum', 'fractions', 'functools', 'heapq', 'itertools', 'json', 'math', 'numbers', 'operator', 'random', 're',
  'statistics', 'string', 'textwrap', 'typing', 'typing_extensions', 'unicodedata', '__future__',
]); // prettier-ignore
const PACKAGES = new Set(['sympy', 'mpmath']);
/** Modules of the standard library, and of the interpreter, that reach outside the tool. */
const FORBIDDEN = new Set([
  'asyncio', 'atexit', 'builtins', 'code', 'codeop', 'concurrent', 'configparser', 'contextvars', 'csv', 'ctypes',
  'curses', 'dbm', 'dis', 'email', 'faulthandler', 'fcntl', 'fileinput', 'ftplib', 'gc', 'getpass', 'glob', 'gzip',
  'http', 'imaplib', 'imp', 'importlib', 'inspect', 'io', 'js', 'logging', 'mailbox', 'marshal', 'micropip', 'mmap',
  'multiprocessing', 'os', 'pathlib', 'pdb', 'pickle', 'pkgutil', 'platform', 'poplib', 'posix', 'pty', 'pyodide',
  'pyodide_js', 'queue', 'resource', 'runpy', 'select', 'selectors', 'shelve', 'shutil', 'signal', 'site', 'smtplib',
  'socket', 'socketserver', 'sqlite3', 'ssl', 'subprocess', 'sys', 'sysconfig', 'tarfile', 'tempfile', 'termios',
  'threading', 'time', 'tkinter', 'trace', 'traceback', 'tty', 'turtle', 'types', 'urllib', 'uuid', 'warnings',
  'weakref', 'webbrowser', 'wsgiref', 'xml', 'xmlrpc', 'zipapp', 'zipfile', 'zipimport', 'zlib',
]); // prettier-ignore
const CALLS = new Set([
  'open', 'input', 'eval', 'exec', 'compile', '__import__', 'breakpoint', 'globals', 'locals', 'vars', 'exit', 'quit',
  'help', 'memoryview',
]); // prettier-ignore
const HARMLESS_DUNDERS = new Set([
  '__init__',
  '__name__',
  '__class__',
  '__doc__',
  '__len__',
  '__str__',
  '__repr__',
]);

export interface PolicyFinding {
  code: 'POLICY_IMPORT' | 'PACKAGE_UNAVAILABLE';
  message: string;
}

/** The first thing in a tree that tools may not use; undefined where there is none. */
export function policyFinding(tree: AstNode, packages: readonly string[]): PolicyFinding | undefined {
  let unavailable: PolicyFinding | undefined;
  for (const node of walk(tree)) {
    for (const module of modulesOf(node)) {
      const top = module.split('.')[0]!;
      if (ALLOWED.has(top) || (PACKAGES.has(top) && packages.includes(top))) continue;
      const where = `Line ${node.lineno ?? 0} imports ${module || 'a relative module'}`;
      if (FORBIDDEN.has(top) || top.startsWith('_') || top === '') {
        return { code: 'POLICY_IMPORT', message: `${where}, which tools may not use.` };
      }
      const hint = PACKAGES.has(top) ? `allow it in sandbox.packages` : 'write it with the standard library';
      unavailable ??= { code: 'PACKAGE_UNAVAILABLE', message: `${where}, which is not there: ${hint}.` };
    }
    const call = forbiddenUse(node);
    if (call) {
      return {
        code: 'POLICY_IMPORT',
        message: `Line ${node.lineno ?? 0} uses ${call}, which tools may not.`,
      };
    }
  }
  return unavailable;
}

function modulesOf(node: AstNode): string[] {
  if (node._ === 'Import') return nodesOf(node.names).map(({ name }) => String(name));
  if (node._ === 'ImportFrom') return [Number(node.level ?? 0) > 0 ? '' : String(node.module ?? '')];
  return [];
}

function forbiddenUse(node: AstNode): string | undefined {
  if (node._ === 'Name' && CALLS.has(String(node.id))) return `${String(node.id)}()`;
  if (node._ === 'Attribute') {
    const name = String(node.attr);
    if (/^__\w+__$/.test(name) && !HARMLESS_DUNDERS.has(name)) return name;
  }
  return undefined;
}
