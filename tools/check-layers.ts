/**
 * Holds the dependency rules of ARCHITECTURE.md: packages depend on lower packages only, services never on each other,
 * every import of a sibling is declared, and pure packages import no clock, network or file system.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Lowest first. A package may depend only on those above it in this list; `node` names the built-in modules it may use. */
const packages: readonly { readonly name: string; readonly node: readonly string[] }[] = [
  { name: 'base', node: [] },
  { name: 'x509', node: [] },
  { name: 'evidence', node: [] },
  { name: 'verify', node: [] },
  { name: 'audit', node: [] },
  { name: 'crypto-node', node: ['node:crypto'] },
  { name: 'measurement', node: ['node:crypto', 'node:fs', 'node:path'] },
  { name: 'crypto-web', node: [] },
  { name: 'wire', node: ['node:crypto'] },
  { name: 'identity', node: ['node:crypto'] },
  { name: 'las-client', node: ['node:net'] },
  { name: 'api', node: ['node:crypto', 'node:https', 'node:http', 'node:tls'] },
  { name: 'policy', node: ['node:crypto'] },
  { name: 'secrets', node: ['node:crypto', 'node:net'] },
  {
    name: 'fuse',
    node: ['node:buffer', 'node:fs', 'node:module', 'node:os', 'node:perf_hooks', 'node:worker_threads'],
  },
  {
    name: 'volume',
    node: ['node:crypto', 'node:fs', 'node:os', 'node:path', 'node:perf_hooks', 'node:worker_threads'],
  },
  { name: 'sealed-layer', node: ['node:crypto', 'node:zlib', 'node:fs', 'node:buffer'] },
  { name: 'collateral', node: ['node:crypto', 'node:fs', 'node:path'] },
  { name: 'evidence-report', node: ['node:fs', 'node:path'] },
  { name: 'tee', node: ['node:crypto', 'node:fs', 'node:path', 'node:timers/promises'] },
  { name: 'simulation', node: ['node:crypto', 'node:fs', 'node:path', 'node:http'] },
  {
    name: 'image',
    node: [
      'node:buffer',
      'node:crypto',
      'node:fs',
      'node:fs/promises',
      'node:os',
      'node:path',
      'node:stream',
      'node:stream/promises',
      'node:util',
      'node:worker_threads',
      'node:zlib',
    ],
  },
  {
    name: 'bundle',
    node: [
      'node:child_process',
      'node:crypto',
      'node:fs',
      'node:fs/promises',
      'node:os',
      'node:path',
      'node:stream',
      'node:stream/promises',
      'node:util',
      'node:zlib',
    ],
  },
];
const services = ['las', 'cas', 'runtime'] as const;
const apps = ['cli'] as const;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const problems: string[] = [];

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules') return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.(?:ts|tsx|mjs|js)$/.test(entry.name) ? [path] : [];
  });
}

const importPattern =
  /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s*['"]([^'"]+)['"]|\b(?:import|require)\(\s*['"]([^'"]+)['"]/g;

function check(
  folder: string,
  allowedSiblings: ReadonlySet<string>,
  allowedNode: ReadonlySet<string> | undefined,
): void {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    name: string;
    dependencies?: Record<string, string>;
    devDependencies?: Record<string, string>;
  };
  const used = new Set<string>();
  for (const file of sources(folder)) {
    const where = relative(root, file);
    const isTest = /\.test\.tsx?$/.test(file) || where.includes('/test/');
    for (const match of readFileSync(file, 'utf8').matchAll(importPattern)) {
      const specifier = (match[1] ?? match[2] ?? match[3]) as string;
      // Code that a test writes for another process to run.
      if (specifier.includes('${')) continue;
      if (specifier.startsWith('.')) {
        const target = relative(folder, join(dirname(file), specifier));
        if (target.startsWith('..')) problems.push(`${where}: imports ${specifier}, outside its package`);
        continue;
      }
      if (specifier.startsWith('node:')) {
        if (allowedNode && !isTest && !allowedNode.has(specifier))
          problems.push(`${where}: ${specifier} is not allowed in this package`);
        continue;
      }
      const name = specifier.startsWith('@')
        ? specifier.split('/').slice(0, 2).join('/')
        : (specifier.split('/')[0] as string);
      used.add(name);
      const declared =
        manifest.dependencies?.[name] ?? (isTest ? manifest.devDependencies?.[name] : undefined);
      const rootTool = isTest && ['fast-check', 'esbuild'].includes(name);
      if (declared === undefined && !rootTool)
        problems.push(`${where}: imports ${name}, which ${manifest.name} does not declare`);
      if (name.startsWith('@ensconce/') && !allowedSiblings.has(name) && !isTest) {
        problems.push(`${where}: ${manifest.name} must not depend on ${name}`);
      }
    }
  }
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    if (!used.has(name))
      problems.push(`${relative(root, folder)}/package.json: declares ${name}, which nothing imports`);
  }
}

function folders(parent: string): string[] {
  try {
    return readdirSync(join(root, parent)).filter((name) => {
      try {
        return statSync(join(root, parent, name, 'package.json')).isFile();
      } catch {
        return false;
      }
    });
  } catch {
    return [];
  }
}

const allPackages = new Set(packages.map((entry) => `@ensconce/${entry.name}`));
for (const name of folders('packages')) {
  const rank = packages.findIndex((entry) => entry.name === name);
  if (rank < 0) {
    problems.push(`packages/${name}: not in the list of tools/check-layers.ts`);
    continue;
  }
  const below = new Set(packages.slice(0, rank).map((entry) => `@ensconce/${entry.name}`));
  check(join(root, 'packages', name), below, new Set(packages[rank]?.node));
}
for (const name of folders('services')) {
  if (!(services as readonly string[]).includes(name))
    problems.push(`services/${name}: not in the list of tools/check-layers.ts`);
  check(join(root, 'services', name), allPackages, undefined);
}
for (const name of folders('apps')) {
  if (!(apps as readonly string[]).includes(name))
    problems.push(`apps/${name}: not in the list of tools/check-layers.ts`);
  check(
    join(root, 'apps', name),
    new Set([...allPackages, ...services.map((service) => `@ensconce/${service}`)]),
    undefined,
  );
}

if (problems.length > 0) {
  for (const problem of problems) console.error(`layers: ${problem}`);
  process.exitCode = 1;
} else {
  console.log('layers: every import points the right way');
}
