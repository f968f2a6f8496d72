import * as v from 'valibot';
import { describeIssue } from '@ensconce/base/issue';
import { parseJson } from '@ensconce/base/json';
import { fromUtf8 } from '@ensconce/base/bytes';
import { parse as parseToml } from 'smol-toml';
import { CasError } from '../errors.ts';

/** Bytes. */
const configLimit = 1_048_576;
const defaultTimeout = 5;

const settings = v.strictObject({
  /** SCONE's other modes leave releases without proof, which this CAS does not do. */
  mode: v.optional(
    v.picklist(
      ['signed'],
      "'signed' expected: a CAS that released secrets unrecorded could not be held to account",
    ),
    'signed',
  ),
  sink: v.optional(v.picklist(['file', 'network']), 'file'),
  url: v.optional(v.pipe(v.string(), v.url(), v.startsWith('https://', 'a URL with https expected'))),
  /** PEM; then only servers that this authority vouches for are trusted. */
  server_ca_certificate: v.optional(
    v.pipe(v.string(), v.startsWith('-----BEGIN CERTIFICATE-----', 'PEM expected')),
  ),
  /** What SCONE's setting lacks. */
  ensconce: v.optional(
    v.strictObject({
      /** The sink keeps CAS's newest checkpoint and gives it back: docs/formats/audit-log.md. */
      witness: v.optional(v.boolean(), false),
      /** Seconds for an answer of the sink. */
      timeout: v.optional(v.pipe(v.number(), v.minValue(0.1), v.maxValue(60)), defaultTimeout),
    }),
    {},
  ),
});

/** Of the owner's configuration, what this CAS knows; other sections are refused. */
const ownerConfig = v.strictObject({ audit_log: v.optional(settings) });

/** A sink over the network. */
export interface SinkSettings {
  readonly url: string;
  readonly serverCa: string | undefined;
  readonly witness: boolean;
  /** Milliseconds. */
  readonly timeout: number;
}

/** The sink that an owner's configuration (TOML, or JSON where `name` says so) asks for; undefined for the file alone. */
export function readSinkSettings(bytes: Uint8Array, name: string): SinkSettings | undefined {
  let value: unknown;
  try {
    value = name.endsWith('.json') ? parseJson(bytes, name, configLimit) : toml(bytes);
  } catch (cause) {
    throw new CasError('CAS_CONFIGURATION', `${name}: an owner's configuration in TOML (or .json) expected`, {
      cause,
    });
  }
  const parsed = v.safeParse(ownerConfig, value);
  if (!parsed.success)
    throw new CasError('CAS_CONFIGURATION', `${name}: ${describeIssue(parsed.issues[0])}`, {
      hint: 'this CAS knows [audit_log] with mode, sink, url, server_ca_certificate, and [audit_log.ensconce] with witness, timeout',
    });
  const audit = parsed.output.audit_log;
  if (audit === undefined || audit.sink === 'file') {
    if (audit?.url !== undefined || audit?.ensconce.witness === true)
      throw new CasError(
        'CAS_CONFIGURATION',
        `${name}: audit_log: sink = "network" expected beside url and witness`,
      );
    return undefined;
  }
  if (audit.url === undefined)
    throw new CasError('CAS_CONFIGURATION', `${name}: audit_log: a url expected for sink network`);
  const { url, server_ca_certificate: serverCa, ensconce } = audit;
  return { url, serverCa, witness: ensconce.witness, timeout: ensconce.timeout * 1000 };
}

function toml(bytes: Uint8Array): unknown {
  if (bytes.length > configLimit) throw new RangeError(`at most ${configLimit} bytes expected`);
  return parseToml(fromUtf8(bytes));
}
