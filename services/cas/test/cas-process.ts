// Runs a CAS in a process of its own, to be killed: node cas-process.ts STATE-FOLDER
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { startCas } from '../src/cas.ts';
import { evidenceVerifier } from '../src/evidence/verifier.ts';
import { insecureKeyFile } from '../src/store/key-sealer.ts';

const state = process.argv[2] as string;
const cas = await startCas({
  state,
  sealer: insecureKeyFile(state),
  clientListen: { host: '127.0.0.1', port: 0 },
  serviceListen: { host: '127.0.0.1', port: 0 },
  las: undefined,
  verifier: evidenceVerifier({}),
  creators: 'anybody',
  now: () => new Date(),
  random: randomBytes,
  log: pino({ level: 'silent' }),
});
process.stdout.write(`${JSON.stringify({ port: cas.clientAddress.port, identity: cas.identity })}\n`);
