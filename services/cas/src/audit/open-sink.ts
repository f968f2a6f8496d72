import type { Logger } from 'pino';
import * as v from 'valibot';
import { openEndorsement } from '@ensconce/audit/endorsement';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import type { Serial } from '../state/serial.ts';
import type { State } from '../state/state.ts';
import type { Change } from '../store/store.ts';
import { endorseAuditKey } from './endorsement.ts';
import { NetworkSink } from './network-sink.ts';
import { SinkClient } from './sink-client.ts';
import type { SinkSettings } from './sink-settings.ts';

const table = 'audit-sink';

/** What the database knows of a sink, by its address: it had so many records at least. */
const sinkRecord = v.strictObject({ sent: v.number() });

/**
 * Connects the audit log to its sink. From here on nothing is released that the sink has not been told of. Resolves after the first try: a
 * sink out of reach is tried again and again; throws `CAS_STATE_ROLLED_BACK` where a witness knows another history.
 */
export async function openSink(
  state: State,
  writes: Serial,
  settings: SinkSettings,
  log: Logger,
): Promise<NetworkSink> {
  const { audit, store, identity } = state;
  const known = store.get(table, settings.url);
  const sink = new NetworkSink({
    client: new SinkClient(settings, {
      key: identity.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      cert: identity.certificate,
    }),
    witness: settings.witness,
    knownBefore: known !== undefined,
    audit,
    proofs: state.proofs,
    notes: state.notes,
    key: await openEndorsement(nodeCrypto, endorseAuditKey(identity, state.auditKey), identity.hash),
    sent: known === undefined ? 0 : v.parse(sinkRecord, known).sent,
    onReached: () => {
      if (store.get(table, settings.url) !== undefined) return;
      writes
        .run(() => rememberSink(state, sink, settings.url))
        .catch((error: unknown) =>
          log.warn({ err: error }, 'the sink of the audit log could not be remembered'),
        );
    },
    log,
  });
  audit.useSink(sink);
  try {
    await sink.tried();
    return sink;
  } catch (error) {
    await sink.close();
    throw error;
  }
}

/** Keeps how much a sink has at least: a witness that has nothing later lost it, another sink is sent what it lacks. */
async function rememberSink(state: State, sink: NetworkSink, url: string): Promise<void> {
  const { store, audit } = state;
  const position = await audit.announceCommit(store.sequence + 1);
  store.commit([sinkChange(sink, url)], position);
}

export function sinkChange(sink: NetworkSink, url: string): Change {
  return { table, name: url, value: { sent: sink.acknowledged } };
}
