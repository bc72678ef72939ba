import { type AddressInfo, Server } from 'node:net';

/**
 * Runs the SQS emulator in a process of its own. It has no host option and binds every address, so listening itself
 * is bent to 127.0.0.1; the address really bound is reported to the parent.
 */
const listen = Server.prototype.listen as (this: Server, ...values: unknown[]) => Server;
Server.prototype.listen = function (this: Server, ...values: unknown[]): Server {
  const [first] = values;
  if (typeof first === 'object' && first !== null) values[0] = { ...first, host: '127.0.0.1' };
  else values.splice(0, 1, { port: Number(first ?? 0), host: '127.0.0.1' });
  this.once('listening', () => process.send?.({ address: this.address() as AddressInfo }));
  return listen.apply(this, values);
} as typeof Server.prototype.listen;

const { startFauxqs } = await import('fauxqs');
const server = await startFauxqs({ port: 0, logger: false });
process.on('disconnect', () => void server.stop().finally(() => process.exit()));
process.send?.({ ready: true });
