import { verifyCommand, type VerifyCommand } from '@ensconce/evidence-report/verify';
import { decodeText } from '@ensconce/evidence-report/files';
import { showCommand } from '@ensconce/evidence-report/show';
import { EnsconceError } from '@ensconce/base/errors';
import { mutate } from './mutate.ts';

/** Ways in which tools wrap evidence; each is tried around what was changed. */
const wrappings: readonly ((bytes: Uint8Array) => Uint8Array)[] = [
  (bytes) => bytes,
  (bytes) => text(bytes.toHex()),
  (bytes) => text(`0x${bytes.toHex()}\n`),
  (bytes) => text(bytes.toBase64()),
  (bytes) => text(pem(bytes, 'CERTIFICATE')),
  (bytes) => text(pem(bytes, 'CERTIFICATE REQUEST')),
  (bytes) => text(JSON.stringify([...bytes.subarray(0, 65_536)])),
  (bytes) => text(JSON.stringify({ quote: bytes.toHex(), event_log: '[{"imr":0,"digest":"00"}]' })),
  (bytes) => text(JSON.stringify({ outblob: bytes.toBase64(), auxblob: bytes.toBase64() })),
  (bytes) => text(JSON.stringify({ attestation_report: bytes.toBase64(), cert_chain: [bytes.toBase64()] })),
  (bytes) => text(JSON.stringify({ evidence: { quote: bytes.toBase64() } })),
  (bytes) => text(JSON.stringify({ hcl_report: bytes.toBase64(), td_quote: bytes.toBase64() })),
];

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const pem = (bytes: Uint8Array, label: string): string =>
  `-----BEGIN ${label}-----\n${bytes.toBase64()}\n-----END ${label}-----\n`;

function flipped(input: Uint8Array, next: () => number): Uint8Array {
  const at = Math.floor(next() * input.length);
  return Uint8Array.from(input).with(at, (input[at] ?? 0) ^ (1 << Math.floor(next() * 8)));
}

/** One change of the kinds that a broken disk, a wrong tool or an attacker makes; the wrapping is part of it, and may be changed too. */
function change(input: Uint8Array, next: () => number): Uint8Array {
  const wrap = wrappings[Math.floor(next() * wrappings.length)] as (bytes: Uint8Array) => Uint8Array;
  switch (Math.floor(next() * 6)) {
    case 0:
      return flipped(input, next);
    case 1:
      return wrap(flipped(input, next));
    case 2:
      return wrap(mutate(input, input, next));
    case 3:
      return wrap(Uint8Array.of(...input, ...input));
    case 4:
      return mutate(wrap(input), input, next);
    default:
      return wrap(wrap(mutate(input, input, next)));
  }
}

export interface Swept {
  /** How often each exit code came; 2 stands for an error of ours: wrong usage. */
  readonly codes: Map<number, number>;
  /** Milliseconds of the slowest judgement. */
  readonly slowest: number;
}

/** What the command line reads beside the evidence. */
export type Judge = Omit<VerifyCommand, 'evidence' | 'json'>;

async function judge(evidence: Uint8Array, command: Judge): Promise<number> {
  try {
    const bytes = decodeText(evidence);
    showCommand(bytes, true);
    const { exitCode, stdout } = await verifyCommand({ ...command, evidence: bytes, json: true });
    JSON.parse(stdout);
    return exitCode;
  } catch (error) {
    if (error instanceof EnsconceError) return 2;
    throw new Error(`${String(error)} for ${evidence.toHex()}`, { cause: error });
  }
}

/** Hands `count` changed forms of some evidence to what the command line calls. Throws on any error that is not ours. */
export async function sweep(
  input: Uint8Array,
  count: number,
  next: () => number,
  command: () => Judge,
): Promise<Swept> {
  const codes = new Map<number, number>();
  let slowest = 0;
  for (let i = 0; i < count; i++) {
    const evidence = change(input, next);
    const start = performance.now();
    const code = await judge(evidence, command());
    slowest = Math.max(slowest, performance.now() - start);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  return { codes, slowest };
}
