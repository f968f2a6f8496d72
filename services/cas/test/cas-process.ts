// Runs a CAS in a process of its own, to be killed: node cas-process.ts STATE-FOLDER [CLIENT-PORT [VENDOR-FOLDER]]
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { openSimulatedVendor } from '@ensconce/simulation/vendor';
import { startCas } from '../src/cas.ts';
import { evidenceVerifier } from '../src/evidence/verifier.ts';
import { insecureKeyFile } from '../src/store/key-sealer.ts';

const [state = '', port = '0', vendor] = process.argv.slice(2);
const now = (): Date => new Date();
const cas = await startCas({
  state,
  sealer: insecureKeyFile(state),
  clientListen: { host: '127.0.0.1', port: Number(port) },
  serviceListen: { host: '127.0.0.1', port: 0 },
  las: undefined,
  verifier: evidenceVerifier(
    vendor === undefined
      ? {}
      : { insecureSimulatedVendor: await openSimulatedVendor({ folder: vendor, now }) },
  ),
  creators: 'anybody',
  now,
  random: randomBytes,
  log: pino({ level: 'trace' }, pino.destination({ dest: `${state}.log`, sync: true })),
});
const { identity, certificate, clientAddress, serviceAddress } = cas;
process.stdout.write(
  `${JSON.stringify({ port: clientAddress.port, servicePort: serviceAddress.port, identity, certificate })}\n`,
);
