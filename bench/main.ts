/** `npm run bench -- NAME …`: one benchmark of the table of numbers; each prints a table and writes bench/results/NAME.json. */

type Bench = (args: readonly string[]) => void | Promise<void>;

/** Loaded when asked for, because each brings its peers along. */
const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  start: async () => (await import('./start.ts')).bench,
  image: async () => (await import('./image.ts')).benchImage,
  volume: async () => (await import('./volume.ts')).benchVolume,
  audit: async () => (await import('./audit.ts')).benchAudit,
  'volume-memory': async () => (await import('./volume-memory.ts')).benchVolumeMemory,
  cas: async () => (await import('./cas.ts')).bench,
  evidence: async () => (await import('./evidence.ts')).bench,
};

const [name = '', ...args] = process.argv.slice(2);
const load = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (load === undefined) {
  console.error(`bench: ${Object.keys(benches).join(' or ')} expected, ${name || 'nothing'} found`);
  process.exitCode = 2;
} else {
  const bench = await load();
  await bench(args);
}
