import { ApiError } from './errors.ts';
import { apiPort } from './schema.ts';

export interface CasAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `host`, `host:port` or `[v6]:port`; without a port it is 8081. */
export function parseAddress(text: string, defaultPort: number = apiPort): CasAddress {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === undefined || port > 65_535) {
    throw new ApiError('API_ADDRESS', `address: host[:port] expected, ${JSON.stringify(text)} found`, {
      hint: 'write cas.example.org, cas.example.org:8081 or [::1]:8081',
    });
  }
  return { host, port };
}

export function formatAddress(address: CasAddress): string {
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}
