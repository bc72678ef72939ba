import { isAbsolute, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FunctionError } from './errors.ts';

/** A handler as Lambda calls it; `this` project's are made by defineTask. */
export type Handler = (event: never, context: never) => unknown;

/** functions/ of this checkout. */
export const FUNCTIONS_ROOT = join(import.meta.dirname, '../../functions');

/**
 * Imports a handler module, as Lambda's cold start does.
 * @param module path below `root`, or absolute.
 * @throws FunctionError under the names of Lambda's Node runtime: `Runtime.ImportModuleError` for a missing module,
 *   `Runtime.UserCodeSyntaxError`, `Runtime.HandlerNotFound`; what the module itself throws passes.
 */
export async function importHandler(module: string, root: string): Promise<Handler> {
  const path = isAbsolute(module) ? module : join(root, module);
  let exports: { handler?: unknown };
  try {
    exports = (await import(pathToFileURL(path).href)) as { handler?: unknown };
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === 'ERR_MODULE_NOT_FOUND') {
      throw new FunctionError('Runtime.ImportModuleError', `${module}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    if (error instanceof SyntaxError) {
      throw new FunctionError('Runtime.UserCodeSyntaxError', `${module}: ${error.message}`, { cause: error });
    }
    throw error;
  }
  if (typeof exports.handler !== 'function') {
    throw new FunctionError('Runtime.HandlerNotFound', `${module} exports no function "handler".`);
  }
  return exports.handler as Handler;
}
