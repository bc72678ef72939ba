/** The interpreter's file system in memory: all of it read-only but two folders, which every run leaves empty. */

interface Node {
  name: string;
  mode: number;
  parent: Node;
  contents?: Record<string, Node> | Uint8Array;
  node_ops: Record<string, unknown>;
  stream_ops: Record<string, unknown>;
}

/** The parts of Emscripten's `FS` that are used here. */
export interface FileSystem {
  writeFile(path: string, data: Uint8Array): void;
  mkdirTree(path: string): void;
  lookupPath(path: string): { node: Node };
  isDir(mode: number): boolean;
  isFile(mode: number): boolean;
  unlink(path: string): void;
  rmdir(path: string): void;
  readdir(path: string): string[];
  lstat(path: string): { mode: number };
  close(stream: object): void;
  cwd(): string;
  chdir(path: string): void;
  streams: (object | null | undefined)[];
  ErrnoError: new (errno: number) => Error;
  filesystems: {
    MEMFS: {
      expandFileStorage(node: Node, bytes: number): void;
      resizeFileStorage(node: Node, bytes: number): void;
    };
  };
}

/** Where runs may write. */
const WRITABLE = ['/tmp', '/home/python'];
/** All files of a run together. */
const MAX_BYTES = 64 * 2 ** 20;
const NO_SPACE = 51;
const CHANGES_FOLDER = ['setattr', 'mknod', 'rename', 'unlink', 'rmdir', 'symlink'];
const CHANGES_FILE = ['setattr'];
const CHANGES_STREAM = ['write', 'msync'];

const without = (operations: Record<string, unknown>, names: string[]): Record<string, unknown> =>
  Object.freeze(Object.fromEntries(Object.entries(operations).filter(([name]) => !names.includes(name))));

const children = (node: Node): Node[] =>
  node.contents === undefined || ArrayBuffer.isView(node.contents) ? [] : Object.values(node.contents);

/** Bytes held by the files below a node. */
function held(node: Node): number {
  if (node.contents !== undefined && ArrayBuffer.isView(node.contents)) return node.contents.byteLength;
  return children(node).reduce((sum, child) => sum + held(child), 0);
}

/** Makes the file system read-only, but for `/tmp` and the home folder, whose files are bounded together. */
export function lockFiles(fs: FileSystem): void {
  const open = new Set(WRITABLE.map((path) => fs.lookupPath(path).node));
  const lock = (node: Node): void => {
    if (open.has(node)) return;
    if (fs.isDir(node.mode)) {
      // The parts of a mount that is not in memory have operations of their own kind and hold no files.
      node.node_ops = without(node.node_ops, CHANGES_FOLDER);
      children(node).forEach(lock);
    } else if (fs.isFile(node.mode)) {
      node.node_ops = without(node.node_ops, CHANGES_FILE);
      node.stream_ops = without(node.stream_ops, CHANGES_STREAM);
    }
  };
  lock(fs.lookupPath('/').node);
  const { MEMFS } = fs.filesystems;
  const bounded =
    (original: (node: Node, bytes: number) => void) =>
    (node: Node, bytes: number): void => {
      const others = [...open].reduce((sum, folder) => sum + held(folder), 0);
      if (bytes > 4_096 && others + bytes > MAX_BYTES) throw new fs.ErrnoError(NO_SPACE);
      original(node, bytes);
    };
  const { expandFileStorage } = MEMFS;
  // Doubled, not grown by an eighth: what a growing file leaves behind must not fill the process before it is collected.
  MEMFS.expandFileStorage = bounded((node, bytes) => {
    const capacity = held(node);
    expandFileStorage(node, bytes > capacity ? Math.max(bytes, Math.min(2 * capacity, MAX_BYTES)) : bytes);
  });
  MEMFS.resizeFileStorage = bounded(MEMFS.resizeFileStorage);
}

function removeBelow(fs: FileSystem, path: string): void {
  for (const name of fs.readdir(path)) {
    if (name === '.' || name === '..') continue;
    const entry = `${path}/${name}`;
    if (fs.isDir(fs.lstat(entry).mode)) {
      removeBelow(fs, entry);
      fs.rmdir(entry);
    } else fs.unlink(entry);
  }
}

/** What every run has to leave as it was. */
export interface CleanState {
  /** How many streams are open. */
  streams: number;
  /** The working folder. */
  folder: string;
  writable: { path: string; node: Node }[];
}

/** The state before the first run. */
export const cleanStateOf = (fs: FileSystem): CleanState => ({
  streams: fs.streams.length,
  folder: fs.cwd(),
  // Their parents are locked: no run takes them away.
  writable: WRITABLE.map((path) => ({ path, node: fs.lookupPath(path).node })),
});

/** Closes what a run left open, removes what it wrote and goes back to the working folder. */
export function cleanFiles(fs: FileSystem, state: CleanState): void {
  for (let fd = state.streams; fd < fs.streams.length; fd++) {
    const stream = fs.streams[fd];
    if (stream) fs.close(stream);
  }
  for (const { path, node } of state.writable) if (children(node).length > 0) removeBelow(fs, path);
  if (fs.cwd() !== state.folder) fs.chdir(state.folder);
}
