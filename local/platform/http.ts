import { createApi } from '#functions/api/create-api.ts';
import { routes } from '#functions/api/routes.ts';
import { startGateway, type Gateway } from '#local/gateway/index.ts';
import { presignSecret } from '#shared/storage/embedded/index.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { withRuntime, type Runtime } from '#shared/task/runtime.ts';

export interface ServeOptions {
  port: number;
  host?: string;
  runtime: Runtime;
  dataDir: string;
  catalog: readonly WorkflowEntry[];
  onError(error: unknown): void;
}

/** Serves the same API handler as on AWS, with the embedded ports, behind the gateway. */
export function serveApi(options: ServeOptions): Promise<Gateway> {
  const { runtime, dataDir, catalog, port, host, onError } = options;
  const api = createApi({ catalog });
  return startGateway({
    port,
    ...(host ? { host } : {}),
    routes,
    handler: (event: never, context: never) => withRuntime(runtime, () => api(event, context)),
    objects: {
      secret: presignSecret(dataDir),
      bucket: (name) => runtime.bucket(name),
      clock: runtime.clock,
    },
    onError,
  });
}
