import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isGlobalUnicast, type Network } from '#shared/web/network.ts';

/** A web server of a test's own, and a network in which names lead to it. */
export interface Site {
  port: number;
  /** TCP connections so far. */
  connections(): number;
  /** Paths asked for so far. */
  paths: string[];
  close(): Promise<void>;
}

type Page = string | { status?: number; headers?: Record<string, string>; body?: string | Buffer };

/** Serves pages by path; a function may answer by itself. Without a page of that path: 404. */
export async function site(
  pages: Record<string, Page | ((request: IncomingMessage, response: ServerResponse) => void)>,
): Promise<Site> {
  let connections = 0;
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url!);
    const page = pages[request.url!];
    if (typeof page === 'function') return page(request, response);
    if (page === undefined) return response.writeHead(404).end('none');
    const { status = 200, headers = {}, body = '' } = typeof page === 'string' ? { body: page } : page;
    response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', ...headers }).end(body);
  });
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    paths,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/**
 * A network in which names resolve as told and 127.0.0.1 counts as public, on the ports given; every other address is
 * judged as on the Internet.
 */
export function testNetwork(
  names: Record<string, string | string[] | (() => string[])>,
  ports: readonly number[],
): Network & { resolved: string[] } {
  const resolved: string[] = [];
  return {
    resolved,
    resolve(host) {
      resolved.push(host);
      const found = names[host];
      if (found === undefined)
        return Promise.reject(Object.assign(new Error('ENOTFOUND'), { code: 'ENOTFOUND' }));
      return Promise.resolve(typeof found === 'function' ? found() : [found].flat());
    },
    permits: (address) => address === '127.0.0.1' || isGlobalUnicast(address),
    ports: new Set(ports),
  };
}
