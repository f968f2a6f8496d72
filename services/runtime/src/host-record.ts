import { RuntimeError } from './errors.ts';

/** A resource limit as the kernel has it (`RLIMIT_*` number, 2⁶⁴ − 1 for unlimited). */
export interface ResourceLimit {
  readonly resource: number;
  readonly soft: bigint;
  readonly hard: bigint;
}

/**
 * What the launcher found when the host started it (launch/launch.c). All of it was chosen by the host: arguments and
 * environment are attacker-controlled data, limits and signals are what the application gets back.
 */
export interface HostRecord {
  readonly arguments: readonly string[];
  readonly environment: ReadonlyMap<string, string>;
  readonly limits: readonly ResourceLimit[];
  readonly ignoredSignals: bigint;
  readonly blockedSignals: bigint;
  readonly permittedCapabilities: bigint;
  readonly boundingSet: bigint;
  readonly umask: number;
  /** True where the launcher had to make a user namespace: then uid 0 is the only one. */
  readonly ownUserNamespace: boolean;
}

const maxSize = 16 * 1024 * 1024;

function invalid(found: string): RuntimeError {
  return new RuntimeError('HOST_RECORD', `host record: the launcher's record expected, ${found} found`, {
    hint: 'the runtime is started by /.ensconce/runtime/bin/launch, never by itself',
  });
}

function mask(text: string): bigint {
  if (!/^[0-9a-f]{1,16}$/.test(text)) throw invalid('a malformed mask');
  return BigInt(`0x${text}`);
}

/** Reads the launcher's record. */
export function parseHostRecord(bytes: Buffer): HostRecord {
  if (bytes.length > maxSize) throw invalid(`${bytes.length} bytes`);
  const args: string[] = [];
  const environment = new Map<string, string>();
  const limits: ResourceLimit[] = [];
  const single = new Map<string, string>();
  let at = 0;
  let ended = false;
  while (!ended) {
    const end = bytes.indexOf(0, at);
    if (end < 0) throw invalid('a record without end');
    const tag = String.fromCharCode(bytes[at] ?? 0);
    const text = bytes.toString('utf8', at + 1, end);
    at = end + 1;
    switch (tag) {
      case 'A':
        args.push(text);
        break;
      case 'E': {
        const equals = text.indexOf('=');
        // The first of two equal names counts, as getenv has it.
        if (equals > 0 && !environment.has(text.slice(0, equals)))
          environment.set(text.slice(0, equals), text.slice(equals + 1));
        break;
      }
      case 'L': {
        const match = /^(\d{1,3}) (\d{1,20}) (\d{1,20})$/.exec(text);
        if (!match) throw invalid('a malformed limit');
        limits.push({
          resource: Number(match[1]),
          soft: BigInt(match[2] as string),
          hard: BigInt(match[3] as string),
        });
        break;
      }
      case 'I':
      case 'B':
      case 'P':
      case 'S':
      case 'M':
      case 'N':
        single.set(tag, text);
        break;
      case 'X':
        ended = true;
        break;
      default:
        throw invalid('an unknown entry');
    }
  }
  if (at !== bytes.length) throw invalid('more behind its end');
  const one = (tag: string): string => {
    const text = single.get(tag);
    if (text === undefined) throw invalid(`no entry ${tag}`);
    return text;
  };
  const [umask, namespace] = [one('M'), one('N')];
  if (!/^[0-7]{1,4}$/.test(umask)) throw invalid('a malformed umask');
  if (namespace !== 'userns' && namespace !== 'privileged') throw invalid('an unknown namespace');
  return {
    arguments: args,
    environment,
    limits,
    ignoredSignals: mask(one('I')),
    blockedSignals: mask(one('B')),
    permittedCapabilities: mask(one('P')),
    boundingSet: mask(one('S')),
    umask: Number.parseInt(umask, 8),
    ownUserNamespace: namespace === 'userns',
  };
}
