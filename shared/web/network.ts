import { lookup } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';

/** What pages may be fetched from: an injected dependency, so that tests have servers of their own. */
export interface Network {
  /** Every address of a name. */
  resolve(host: string): Promise<string[]>;
  /** Whether an address may be connected to. */
  permits(address: string): boolean;
  ports: ReadonlySet<number>;
}

/**
 * Whether an address is global unicast: IPv4-mapped ones are unwrapped first; private, loopback, link-local,
 * multicast, reserved and translated ranges are not.
 */
export function isGlobalUnicast(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  // Outside 2000::/3 nothing is allocated (RFC 4291, IANA).
  return parsed.kind() === 'ipv4' || (parsed as ipaddr.IPv6).parts[0]! >> 13 === 1;
}

/** The Internet: public addresses, the ports of the web. */
export const PUBLIC_NETWORK: Network = Object.freeze({
  async resolve(host: string) {
    const found = await lookup(host, { all: true, verbatim: true });
    return found.map(({ address }) => address);
  },
  permits: isGlobalUnicast,
  ports: new Set([80, 443]),
});
