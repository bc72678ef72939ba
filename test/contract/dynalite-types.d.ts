declare module 'dynalite' {
  import type { Server } from 'node:http';
  /** A DynamoDB emulator; times in milliseconds. */
  export default function dynalite(options?: {
    createTableMs?: number;
    deleteTableMs?: number;
    updateTableMs?: number;
  }): Server;
}
