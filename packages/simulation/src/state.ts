import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { parseJson } from '@ensconce/base/json';
import { defaultPlatform } from './intel/platform.ts';
import { SimulationError } from './errors.ts';

const identity = v.strictObject({
  key: v.string(),
  certificate: v.pipe(v.string(), v.base64()),
  name: v.string(),
});
const hex = (bytes: number) => v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`)));
const svn = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255));

const state = v.strictObject({
  format: v.literal('ensconce-simulated-vendor/1'),
  intel: v.strictObject({
    root: identity,
    platformCa: identity,
    processorCa: identity,
    tcbSigning: identity,
  }),
  platform: v.strictObject({
    spec: v.strictObject({
      ca: v.picklist(['platform', 'processor']),
      ppid: hex(16),
      platformInstanceId: hex(16),
      fmspc: hex(6),
      pceId: hex(2),
      components: v.pipe(v.array(svn), v.length(16)),
      pceSvn: v.pipe(v.number(), v.integer()),
      qeIsvSvn: v.pipe(v.number(), v.integer()),
      teeTcbSvn: v.optional(v.pipe(v.array(svn), v.length(16)), [...defaultPlatform.teeTcbSvn]),
      smtEnabled: v.boolean(),
    }),
    pck: identity,
    attestationKey: v.string(),
    qeId: hex(16),
  }),
});

export type VendorState = v.InferOutput<typeof state>;

const level = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255));
const amd = v.strictObject({
  format: v.literal('ensconce-simulated-amd/1'),
  product: v.picklist(['Milan', 'Genoa', 'Turin']),
  authority: v.strictObject({ ark: identity, ask: identity, asvk: identity }),
  chip: v.strictObject({
    hwId: v.pipe(v.string(), v.regex(/^(?:[0-9a-f]{128}|[0-9a-f]{16})$/)),
    tcb: v.strictObject({
      fmc: v.optional(level),
      bootloader: level,
      tee: level,
      snp: level,
      microcode: level,
    }),
    vek: identity,
  }),
});
export type AmdState = v.InferOutput<typeof amd>;

/** One file of the folder for each simulated vendor, with the form of its content. */
interface Kind<State> {
  readonly fileName: string;
  readonly schema: v.GenericSchema<unknown, State>;
}
export const intelKind: Kind<VendorState> = { fileName: 'simulated-vendor.json', schema: state };
export const amdKind: Kind<AmdState> = { fileName: 'simulated-amd.json', schema: amd };

const sizeLimit = 1024 * 1024;

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';
const isPresent = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EEXIST';

/** The vendor kept in `folder`; undefined where there is none yet. */
export function readState<State>(folder: string, kind: Kind<State>): State | undefined {
  const path = join(folder, kind.fileName);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new SimulationError('SIMULATION_STATE', `${path}: a readable file expected`, { cause });
  }
  const result = v.safeParse(kind.schema, parseJson(bytes, path, sizeLimit));
  if (!result.success) {
    throw new SimulationError(
      'SIMULATION_STATE',
      `${path}: the state of a simulated vendor expected, something else found`,
      {
        hint: 'remove the folder to get a new simulated vendor; evidence of the old one is then refused',
      },
    );
  }
  return result.output;
}

/** Keeps a new vendor in `folder` unless another process was faster: whoever comes second reads the first one's. */
export function keepState<State>(folder: string, kind: Kind<State>, value: State): void {
  const temporary = join(folder, `.${kind.fileName}.${randomBytes(8).toString('hex')}`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeSync(file, `${JSON.stringify(value)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    linkSync(temporary, join(folder, kind.fileName));
  } catch (cause) {
    if (isPresent(cause)) return;
    throw new SimulationError('SIMULATION_STATE', `${folder}: a folder that can be written expected`, {
      cause,
    });
  } finally {
    rmSync(temporary, { force: true });
  }
}
