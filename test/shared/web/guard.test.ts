import { gzipSync, brotliCompressSync, deflateSync, constants } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { anyText } from '#test/support/texts.ts';
import { Blocklist } from '#shared/web/blocklist.ts';
import { fetchPage, type FetchOptions } from '#shared/web/fetch-page.ts';
import { checkHost, checkUrl, WebError } from '#shared/web/guard.ts';
import { isGlobalUnicast, PUBLIC_NETWORK } from '#shared/web/network.ts';
import { robotsAllow } from '#shared/web/robots.ts';
import { site, testNetwork, type Site } from '#test/support/web.ts';

const open: Site[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});
async function serve(pages: Parameters<typeof site>[0]): Promise<Site> {
  const server = await site(pages);
  open.push(server);
  return server;
}

const kindOf = (address: string, options: FetchOptions): Promise<string> =>
  fetchPage(address, options).then(
    () => 'fetched',
    (error: unknown) => (error instanceof WebError ? `${error.kind}: ${error.message}` : String(error)),
  );
const noRobots = (): Promise<string> => Promise.resolve('');

describe('[deep-research 14] addresses that are refused', () => {
  it('[deep-research 14] loopback, link-local, IPv4-mapped, other schemes and ports: no connection', async () => {
    const server = await serve({ '/': 'secret' });
    const network = { ...PUBLIC_NETWORK, ports: new Set([80, 443, server.port]) };
    const { port } = server;
    for (const address of [
      `http://127.0.0.1:${port}/`,
      `http://localhost:${port}/`,
      `http://0x7f000001:${port}/`,
      `http://2130706433:${port}/`,
      `http://0177.0.0.1:${port}/`,
      `http://127.1:${port}/`,
      `http://0.0.0.0:${port}/`,
      `http://[::1]:${port}/`,
      `http://[::ffff:127.0.0.1]:${port}/`,
      `http://[::ffff:10.0.0.1]:${port}/`,
      `http://[::127.0.0.1]:${port}/`,
      `http://[64:ff9b::7f00:1]:${port}/`,
      `http://[fe80::1]:${port}/`,
      `http://[fd00::1]:${port}/`,
      'http://169.254.169.254/latest/meta-data/',
      'http://10.0.0.1/',
      'http://192.168.1.1/',
      'http://172.16.0.1/',
      'http://100.64.0.1/',
      'http://224.0.0.1/',
      'file:///etc/passwd',
      'ftp://example.org/x',
      'gopher://example.org/',
      'data:text/html,x',
      'javascript:alert(1)',
      'http://user:secret@example.org/',
      'http://example.org:22/',
      'https://example.org:8080/',
    ])
      expect(await kindOf(address, { network, robots: noRobots }), address).toMatch(/^refused: /);
    expect(server.connections()).toBe(0);
  });

  it('[deep-research 14] a name with one private address among public ones', async () => {
    const server = await serve({ '/': 'secret' });
    const network = testNetwork({ 'mixed.test': ['93.184.215.14', '10.1.2.3'] }, [80]);
    await expect(checkHost(new URL('http://mixed.test/'), network, new Blocklist([]))).rejects.toMatchObject({
      kind: 'refused',
    });
    expect(server.connections()).toBe(0);
  });

  it('[deep-research 14] redirects to private addresses, other schemes and other ports', async () => {
    const inside = await serve({ '/': 'secret' });
    const targets = [
      'http://10.0.0.1/',
      'http://169.254.169.254/latest/meta-data/iam',
      'http://[::ffff:10.0.0.1]/',
      'file:///etc/passwd',
      `http://127.0.0.1:${inside.port}/`,
      'http://inside.test/',
      '//user@example.org/',
    ];
    const pages = Object.fromEntries(
      targets.map((location, n) => [`/${n}`, { status: 302, headers: { location } }]),
    );
    const server = await serve(pages);
    const network = testNetwork({ 'site.test': '127.0.0.1', 'inside.test': '192.168.0.7' }, [
      server.port,
      80,
    ]);
    for (const [n] of targets.entries())
      expect(
        await kindOf(`http://site.test:${server.port}/${n}`, { network, robots: noRobots }),
        targets[n],
      ).toMatch(/^refused: /);
    expect(inside.connections()).toBe(0);
    expect(server.connections()).toBe(targets.length);
  });

  it('[deep-research 14] DNS rebinding: only the address that was checked is connected to', async () => {
    const inside = await serve({ '/': 'secret' });
    const { port } = inside;
    const rebinding = () => {
      let asked = 0;
      // Nobody listens at the first address, which alone counts as public here.
      const network = testNetwork({ 'rebind.test': () => (asked++ === 0 ? ['127.0.0.3'] : ['127.0.0.1']) }, [
        port,
      ]);
      return { ...network, permits: (address: string) => address === '127.0.0.3' };
    };
    const address = `http://rebind.test:${port}/`;
    expect(await kindOf(address, { network: rebinding(), robots: noRobots })).toMatch(
      /^failed: the connection failed/,
    );
    // The second look-up is the one for robots.txt.
    expect(await kindOf(address, { network: rebinding() })).toMatch(/^refused: /);
    expect(inside.connections()).toBe(0);
  });

  it('[deep-research 14] blocked hosts, subdomains, mixed case, punycode and redirects are unavailable', async () => {
    const server = await serve({
      '/to': { status: 301, headers: { location: 'http://Data.HuggingFace.co/x' } },
    });
    const { port } = server;
    const network = testNetwork({ 'site.test': '127.0.0.1', 'nothuggingface.co': '127.0.0.1' }, [port, 80]);
    const blocklist = new Blocklist(['HuggingFace.co', 'bücher.example', '*.paste.test']);
    const options = { network, blocklist, robots: noRobots };
    for (const address of [
      'http://huggingface.co/datasets',
      'http://DATASETS.huggingface.CO/a',
      'http://huggingface.co./a',
      'http://xn--bcher-kva.example/',
      'http://BÜCHER.example/',
      'http://a.b.paste.test/',
      `http://site.test:${port}/to`,
    ])
      expect(await kindOf(address, options), address).toMatch(/^unavailable: /);
    expect(await kindOf(`http://nothuggingface.co:${port}/x`, options)).toBe(
      'failed: the server answered 404',
    );
    expect(network.resolved).not.toContain('huggingface.co');
  });

  it('[deep-research 14] decompression bombs end at 10 MB', async () => {
    const zeros = Buffer.alloc(96 * 2 ** 20);
    const quick = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
    const server = await serve({
      '/gzip': { headers: { 'content-encoding': 'gzip' }, body: gzipSync(zeros, { level: 1 }) },
      '/br': { headers: { 'content-encoding': 'br' }, body: brotliCompressSync(zeros, quick) },
      '/deflate': { headers: { 'content-encoding': 'deflate' }, body: deflateSync(zeros, { level: 1 }) },
      '/twice': {
        headers: { 'content-encoding': 'gzip, gzip' },
        body: gzipSync(gzipSync(zeros, { level: 1 })),
      },
      '/broken': { headers: { 'content-encoding': 'gzip' }, body: 'no gzip' },
      '/large': { headers: { 'content-length': String(11 * 2 ** 20) }, body: Buffer.alloc(11 * 2 ** 20) },
      '/fine': { headers: { 'content-encoding': 'gzip' }, body: gzipSync('<p>fine</p>') },
    });
    const network = testNetwork({ 'site.test': '127.0.0.1' }, [server.port]);
    const ask = (path: string) =>
      kindOf(`http://site.test:${server.port}${path}`, { network, robots: noRobots });
    for (const path of ['/gzip', '/br', '/deflate', '/large'])
      expect(await ask(path), path).toBe('failed: the page is larger than 10 MB');
    expect(await ask('/twice')).toBe('failed: its compression is not known');
    expect(await ask('/broken')).toBe('failed: its compression is broken');
    expect(await ask('/fine')).toBe('fetched');
  });
});

describe('fetching', () => {
  it('follows at most five redirects, takes only text, times out', async () => {
    const hops = Object.fromEntries(
      Array.from({ length: 8 }, (_, n) => [`/${n}`, { status: 302, headers: { location: `/${n + 1}` } }]),
    );
    const server = await serve({
      ...hops,
      '/8': '<p>end</p>',
      '/image': { headers: { 'content-type': 'image/png' }, body: 'x' },
      '/slow': (_request, response) =>
        void response.writeHead(200, { 'content-type': 'text/html' }).write('<p>'),
      '/latin': {
        headers: { 'content-type': 'text/plain; charset=iso-8859-1' },
        body: Buffer.from('caf\xe9', 'latin1'),
      },
      '/bare': { headers: { 'content-type': '' }, body: '<!DOCTYPE html><p>hi' },
    });
    const network = testNetwork({ 'site.test': '127.0.0.1' }, [server.port]);
    const at = (path: string) => `http://site.test:${server.port}${path}`;
    const options = { network, robots: noRobots };
    expect(await fetchPage(at('/3'), options)).toMatchObject({
      url: at('/8'),
      kind: 'html',
      text: '<p>end</p>',
    });
    expect(await kindOf(at('/2'), options)).toBe('failed: it redirects more than 5 times');
    expect(await kindOf(at('/image'), options)).toBe('failed: its type is image/png, which cannot be read');
    expect(await kindOf(at('/slow'), { ...options, timeoutMs: 200 })).toBe('failed: it took more than 0.2 s');
    expect(await fetchPage(at('/latin'), options)).toMatchObject({ kind: 'text', text: 'café' });
    expect(await fetchPage(at('/bare'), options)).toMatchObject({ kind: 'html' });
    expect(await kindOf('http://nowhere.test/', { network: { ...network, ports: new Set([80]) } })).toBe(
      'failed: its host is not known',
    );
    const stop = AbortSignal.abort(new Error('cancelled'));
    await expect(fetchPage(at('/8'), { ...options, signal: stop })).rejects.toThrow('cancelled');
  });

  it('asks robots.txt first, on every host of the way', async () => {
    const server = await serve({
      '/robots.txt': {
        headers: { 'content-type': 'text/plain' },
        body: 'User-agent: *\nDisallow: /private\n',
      },
      '/open': '<p>open</p>',
      '/private/x': '<p>no</p>',
      '/to': { status: 302, headers: { location: '/private/x' } },
    });
    const network = testNetwork({ 'site.test': '127.0.0.1' }, [server.port]);
    const at = (path: string) => `http://site.test:${server.port}${path}`;
    expect(await kindOf(at('/open'), { network })).toBe('fetched');
    expect(await kindOf(at('/private/x'), { network })).toMatch(/^unavailable: /);
    expect(await kindOf(at('/to'), { network })).toMatch(/^unavailable: /);
    expect(server.paths).not.toContain('/private/x');
    const down = await serve({ '/robots.txt': { status: 503 }, '/x': '<p>x</p>' });
    const other = testNetwork({ 'down.test': '127.0.0.1' }, [down.port]);
    expect(await kindOf(`http://down.test:${down.port}/x`, { network: other })).toMatch(/^unavailable: /);
  });

  it('reads robots.txt as RFC 9309 says', () => {
    const robots = [
      'User-agent: other',
      'Disallow: /',
      '',
      'User-agent: *',
      'User-agent: third # comment',
      'Disallow: /a',
      'Allow: /a/b',
      'Disallow: /*.pdf$',
      'Disallow:',
      'nonsense',
    ].join('\r\n');
    expect(robotsAllow(robots, '/')).toBe(true);
    expect(robotsAllow(robots, '/a/c')).toBe(false);
    expect(robotsAllow(robots, '/a/b/c')).toBe(true);
    expect(robotsAllow(robots, '/x/y.pdf')).toBe(false);
    expect(robotsAllow(robots, '/x/y.pdf?q')).toBe(true);
    expect(robotsAllow(`${robots}\nUser-agent: Agentmill/1.0\nDisallow: /own`, '/a/c')).toBe(true);
    expect(robotsAllow('User-agent: agentmill\nDisallow: /own', '/own')).toBe(false);
    expect(robotsAllow('User-agent: *\nAllow: /p\nDisallow: /p', '/p')).toBe(true);
    expect(robotsAllow('', '/a')).toBe(true);
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('User-agent: *', 'Disallow: /', 'Allow: /*a*', 'Disallow: *$', ':', 'x')),
        fc.webPath(),
        (lines, path) => {
          expect(typeof robotsAllow(lines.join('\n'), path)).toBe('boolean');
        },
      ),
    );
    // Many wildcards against a long path.
    expect(robotsAllow(`User-agent: *\nDisallow: /${'a*'.repeat(900)}b`, `/${'a'.repeat(100_000)}`)).toBe(
      true,
    );
  });

  it('lets no address through that is not global unicast', () => {
    expect(
      ['93.184.215.14', '8.8.8.8', '2606:2800:21f:cb07:6820:80da:af6b:8b2c', '::ffff:8.8.8.8'].map(
        isGlobalUnicast,
      ),
    ).toEqual([true, true, true, true]);
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), (address) => {
        if (/^(?:10|127)\.|^192\.168\.|^169\.254\.|^f[cd]|^fe[89ab]/i.test(address))
          expect(isGlobalUnicast(address)).toBe(false);
        else expect(typeof isGlobalUnicast(address)).toBe('boolean');
      }),
    );
  });

  it('never throws anything but its own error for any URL', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.webUrl({ withQueryParameters: true, withFragments: true }), anyText()),
        (text) => {
          try {
            expect(checkUrl(text, PUBLIC_NETWORK).protocol).toMatch(/^https?:$/);
          } catch (error) {
            expect(error).toBeInstanceOf(WebError);
          }
        },
      ),
    );
  });
});
