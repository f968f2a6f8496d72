// Runs a TLS 1.3 server that does nothing but handshakes, as CAS makes them: node tls-only.ts; prints {"port"} as JSON.
import { constants } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { selfSigned } from '@ensconce/identity/self-signed';
import { attestationProtocol } from '@ensconce/wire/attestation';

const identity = await selfSigned('TLS only', new Date());
const server = createServer({
  key: identity.privateKey.export({ type: 'pkcs8', format: 'pem' }),
  cert: identity.certificate,
  minVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_TICKET,
  ALPNProtocols: [attestationProtocol],
  requestCert: true,
  rejectUnauthorized: false,
});
server.on('secureConnection', (socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  // A byte tells the client that this side has verified its Finished: the client's own event comes before that.
  socket.end('!');
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
