/** `npm run bench -- NAME …`: one benchmark of the table of numbers; each prints a table and writes bench/results/NAME.json. */
import { isMisuse, Misuse } from './support/usage.ts';

type Bench = (args: readonly string[]) => void | Promise<void>;

interface Entry {
  readonly args?: string;
  readonly what: string;
  /** Loaded when asked for, because each brings its peers along. */
  readonly load: () => Promise<Bench>;
}

const benches: Readonly<Record<string, Entry>> = {
  start: {
    args: '[RUNS]',
    what: 'an attested container beside the native one; 20 runs of each',
    load: async () => (await import('./start.ts')).bench,
  },
  image: {
    args: '[oci:DIR:TAG [RUNS]]',
    what: "the transformation beside squashfs and ocicrypt; the demo's image, 3 runs",
    load: async () => (await import('./image.ts')).benchImage,
  },
  volume: {
    args: '[--quick] [--tmpfs] [--disk] [--slow-disk] [--runs N] [--rows NAME,…]',
    what: 'volumes beside gocryptfs, securefs and the bare directory; 1 run of every row',
    load: async () => (await import('./volume.ts')).benchVolume,
  },
  'volume-memory': {
    args: '[--runs N]',
    what: 'memory of a volume by files and by size; 3 runs',
    load: async () => (await import('./volume-memory.ts')).benchVolumeMemory,
  },
  cas: {
    args: '[STARTS | --stored SESSIONS]',
    what: 'attested starts beside TLS handshakes; 1000 a round. Or what holding so many sessions takes',
    load: async () => (await import('./cas.ts')).bench,
  },
  evidence: {
    what: 'verifications a second, beside a peer',
    load: async () => (await import('./evidence.ts')).bench,
  },
  audit: {
    args: '[RECORDS]',
    what: 'records, proofs and lists of the audit log; 100000 records',
    load: async () => (await import('./audit.ts')).benchAudit,
  },
};

function usage(names = Object.keys(benches)): string {
  const lines = names.map((name) => {
    const { args = '', what } = benches[name] as Entry;
    return `  npm run bench -- ${`${name} ${args}`.trim()}\n      ${what}`;
  });
  return `usage:\n${lines.join('\n')}`;
}

const isHelp = (arg: string): boolean => arg === '--help' || arg === '-h';

const [name = '', ...args] = process.argv.slice(2);
const entry = Object.hasOwn(benches, name) ? benches[name] : undefined;
const named = entry && [name];
try {
  if (isHelp(name) || (entry && args.some(isHelp))) console.log(usage(named));
  else if (entry) await (await entry.load())(args);
  else throw new Misuse(`${Object.keys(benches).join(' or ')} expected, ${name || 'nothing'} found`);
} catch (error) {
  if (!isMisuse(error)) throw error;
  console.error(`bench: ${error.message}\n${usage(named)}`);
  process.exitCode = 2;
}
