import { extname } from 'node:path';

/**
 * A module that runs in a process or thread of its own and stands in the folder of the one that starts it: as source
 * (`.ts`) in the checkout, as `<name>.mjs` beside a deployed bundle, whose chunks all lie in one folder. The task names
 * it in `modules` of its catalog entry.
 * @param from `import.meta.url` of the module that starts it.
 * @param name base name without extension, such as `encoder-worker`.
 */
export const moduleBeside = (from: string, name: string): URL =>
  new URL(`./${name}${extname(new URL(from).pathname)}`, from);
