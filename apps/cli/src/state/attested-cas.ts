import { formatAddress, parseAddress, type CasAddress } from '@ensconce/api/address';
import { CasConnection } from '@ensconce/api/connection';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { proveClient } from '@ensconce/api/prove-client';
import { publicKeyOf } from '@ensconce/identity/self-signed';
import { requestEvidence } from '@ensconce/las-client/evidence';
import { loadIdentity, loadState, type AttestedCas, type Identity } from './cli-state.ts';
import { watchLog } from './seen-log.ts';

const timeout = 30_000;

/** The CAS that is meant: the one named, else SCONE_CAS_ADDR, else the one attested last. It must have been attested. */
export function attestedCasOf(
  io: Io,
  named: string | undefined,
): { readonly name: string; readonly address: CasAddress; readonly entry: AttestedCas } {
  const state = loadState(io);
  const wanted = named ?? io.environment['SCONE_CAS_ADDR'] ?? state.defaultCas;
  if (wanted === undefined) {
    throw new CliError(
      'CLI_CAS_NOT_ATTESTED',
      'CAS: an attested one expected, none has been attested from here',
      {
        hint: 'run ensconce cas attest ADDRESS --mrenclave HEX first',
      },
    );
  }
  const address = parseAddress(wanted);
  const name = formatAddress(address);
  const entry = state.cas[name];
  if (entry === undefined) {
    throw new CliError(
      'CLI_CAS_NOT_ATTESTED',
      `CAS ${name}: an attested one expected, it has not been attested from here`,
      {
        hint: `run ensconce cas attest ${name} --mrenclave HEX first: nothing is sent to a CAS that proved nothing`,
      },
    );
  }
  return { name, address, entry };
}

/**
 * Does something over a connection to an attested CAS. Another CAS at that address is refused, and so is one whose audit log does not continue
 * what was seen of it before.
 *
 * @param as who asks: this command's identity if absent.
 */
export async function withCas<Result>(
  io: Io,
  named: string | undefined,
  use: (cas: CasConnection) => Promise<Result>,
  as?: Identity,
): Promise<Result> {
  const watched = async (cas: CasConnection): Promise<Result> => {
    await watchLog(io, cas);
    return use(cas);
  };
  return withUnwatchedCas(io, named, watched, as);
}

/** As {@link withCas}, for what holds the audit log against what was seen before itself. */
export async function withUnwatchedCas<Result>(
  io: Io,
  named: string | undefined,
  use: (cas: CasConnection) => Promise<Result>,
  as?: Identity,
): Promise<Result> {
  const { address, entry, name } = attestedCasOf(io, named);
  if (entry.simulated) io.stderr(`warning: CAS ${name} runs on SIMULATED hardware, which protects nothing\n`);
  const identity = as ?? (await loadIdentity(io));
  const cas = await CasConnection.open({
    address,
    identity,
    pinned: entry.identity,
    timeout,
    signal: io.signal,
  });
  try {
    const las = io.environment['ENSCONCE_LAS'];
    if (las !== undefined) {
      const makeEvidence = (data: Uint8Array) => requestEvidence({ socket: las, timeout }, data);
      await proveClient(cas, publicKeyOf(identity.certificate), makeEvidence);
    }
    return await use(cas);
  } finally {
    cas.close();
  }
}
