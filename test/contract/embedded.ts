import { openEmbedded, type Embedded, type EmbeddedOptions } from '#shared/storage/embedded/index.ts';
import { temporaryDirectory } from './support.ts';

/** An embedded store in a directory of its own. */
export async function embeddedStore(
  options: Omit<EmbeddedOptions, 'dataDir'> = {},
): Promise<Embedded & { remove(): Promise<void> }> {
  const directory = await temporaryDirectory();
  const store = openEmbedded({ dataDir: directory.path, ...options });
  return {
    ...store,
    remove: async () => {
      await store.close();
      await directory.remove();
    },
  };
}
