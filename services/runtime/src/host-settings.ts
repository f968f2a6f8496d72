import { isIPv6 } from 'node:net';
import { posix } from 'node:path';
import { maxAccessToken, maxConfigId } from '@ensconce/wire/attestation';
import { lasSocketPath } from '@ensconce/wire/las';
import { RuntimeError } from './errors.ts';

export const logLevels = ['FATAL', 'ERROR', 'WARNING', 'INFO', 'DEBUG', 'TRACE'] as const;
export type LogLevel = (typeof logLevels)[number];

/** The only variables of the host that the runtime acts on (DESIGN §3, interface rule); none can change what is trusted. */
export interface HostSettings {
  readonly casHost: string;
  readonly casPort: number;
  readonly lasSocket: string;
  readonly configId: string;
  readonly serviceAccessToken: string | undefined;
  readonly logLevel: LogLevel;
}

const defaultCasPort = 18765;

function casAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[3] === undefined ? defaultCasPort : Number(match[3]);
  if (!match || port < 1 || port > 65_535 || (match[1] !== undefined && !isIPv6(match[1]))) {
    throw new RuntimeError(
      'HOST_ENVIRONMENT',
      `SCONE_CAS_ADDR: host or host:port expected, ${JSON.stringify(text.slice(0, 100))} found`,
    );
  }
  return { host: (match[1] ?? match[2]) as string, port };
}

export function hostSettings(environment: ReadonlyMap<string, string>): HostSettings {
  const required = (name: string, what: string): string => {
    const value = environment.get(name);
    if (value === undefined || value === '') {
      throw new RuntimeError('HOST_ENVIRONMENT', `${name}: ${what} expected, nothing found`, {
        hint: `set ${name} in the container's environment, or transform the image with a default`,
      });
    }
    return value;
  };
  const { host, port } = casAddress(required('SCONE_CAS_ADDR', "CAS's address"));
  const las = environment.get('SCONE_LAS_ADDR') ?? lasSocketPath;
  if (!las.startsWith('/')) {
    throw new RuntimeError(
      'HOST_ENVIRONMENT',
      `SCONE_LAS_ADDR: the absolute path of a unix socket expected, ${JSON.stringify(las.slice(0, 100))} found`,
      {
        hint: `mount the LAS socket into the container, by default at ${lasSocketPath}; TCP never attests a process`,
      },
    );
  }
  const configId = required('SCONE_CONFIG_ID', 'session/service');
  const serviceAccessToken = environment.get('SCONE_SERVICE_ACCESS_TOKEN');
  const bounded = (name: string, text: string, limit: number): void => {
    if (text.length > limit)
      throw new RuntimeError(
        'HOST_ENVIRONMENT',
        `${name}: at most ${limit} characters expected, ${text.length} found`,
      );
  };
  bounded('SCONE_CONFIG_ID', configId, maxConfigId);
  bounded('SCONE_SERVICE_ACCESS_TOKEN', serviceAccessToken ?? '', maxAccessToken);
  const level = environment.get('SCONE_LOG') ?? 'WARNING';
  return {
    casHost: host,
    casPort: port,
    // Below the container's own root, whatever the text: `..` of an absolute path ends there.
    lasSocket: posix.normalize(las),
    configId,
    serviceAccessToken,
    logLevel: (logLevels as readonly string[]).includes(level) ? (level as LogLevel) : 'WARNING',
  };
}
