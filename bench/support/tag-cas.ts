import { fromHex } from '@ensconce/base/bytes';
import { parseAddress } from '@ensconce/api/address';
import { postSession } from '@ensconce/api/client';
import { CasConnection } from '@ensconce/api/connection';
import { selfSigned } from '@ensconce/identity/self-signed';
import { encodeDescription, measureDescription } from '@ensconce/measurement/image';
import { openSimulatedVendor } from '@ensconce/simulation/vendor';
import { attestToCas } from '../../services/runtime/src/cas-client.ts';
import { CasLink } from '../../services/runtime/src/cas-link.ts';
import { CasTagKeeper } from '../../services/runtime/src/cas-tag-keeper.ts';
import { makeIdentity } from '../../services/runtime/src/certificate.ts';
import { Stage } from '../../demo/stage.ts';

/** A volume as CAS gives it to a service. */
export interface CasVolume {
  /** 32 bytes, made by CAS. */
  readonly key: Uint8Array;
  readonly keeper: CasTagKeeper;
  readonly close: () => Promise<void>;
}

export interface TagCas {
  /** Attests as the runtime of a container does, and gives the volume that its session has. */
  readonly volume: (name: string) => Promise<CasVolume>;
  readonly close: () => Promise<void>;
}

/** A real CAS and LAS, as processes with their database on disk; only the hardware is simulated. */
export async function startTagCas(): Promise<TagCas> {
  const stage = new Stage(new AbortController().signal, { quiet: true });
  try {
    const [vendorFolder, socket] = [stage.path('vendor'), stage.path('las.sock')];
    await stage.service(['las', 'serve', '--simulate', '--state', vendorFolder, '--socket', socket]);
    const state = ['--state', stage.path('cas'), '--las', socket];
    const listen = ['--listen-client', '127.0.0.1:0', '--listen-service', '127.0.0.1:0'];
    const simulation = ['--insecure-accept-simulation', vendorFolder, '--insecure-any-creator'];
    const cas = await stage.service(['cas', 'serve', ...state, ...listen, ...simulation]);
    const vendor = await openSimulatedVendor({ folder: vendorFolder, now: () => new Date() });
    const identity = cas['identity'] as string;
    const description = encodeDescription({
      format: 'ensconce-image/1',
      architecture: 'amd64',
      runtime: '2'.repeat(64),
      layers: ['1'.repeat(64)],
      cas: { identity, simulated: true },
    });
    const mrenclave = measureDescription(description);
    const { privateKey, certificate } = await selfSigned('bench', new Date());
    const keyPair = { privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }), certificate };
    const post = async (session: string): Promise<void> => {
      // CAS closes a connection on which nothing comes, and rows of a benchmark take long.
      const address = parseAddress(cas['client'] as string, 0);
      const client = await CasConnection.open({
        address,
        pinned: identity,
        timeout: 10_000,
        identity: keyPair,
      });
      try {
        await postSession(client, session);
      } finally {
        client.close();
      }
    };
    const { host, port } = parseAddress(cas['service'] as string, 0);
    const connect = (session: string) => async () =>
      attestToCas({
        host,
        port,
        configId: `${session}/app`,
        serviceAccessToken: undefined,
        identity: makeIdentity(),
        description,
        casIdentity: identity,
        makeEvidence: async (reportData) => ({
          format: 'sgx',
          bytes: vendor.makeSgxQuote({
            mrenclave: fromHex(mrenclave),
            mrsigner: new Uint8Array(32),
            isvprodid: 0,
            isvsvn: 0,
            reportData,
          }),
        }),
      });
    return {
      volume: async (name) => {
        await post(sessionOf(name, mrenclave));
        const link = await CasLink.open({ connect: connect(name), log: () => undefined });
        const key = link.first.configuration.volumes?.[0]?.key;
        if (key === undefined) throw new Error('bench: a volume of the session expected, none found');
        return {
          key: Uint8Array.fromBase64(key),
          keeper: new CasTagKeeper(link, 'data'),
          close: () => link.close(),
        };
      },
      close: () => stage.tidy(),
    };
  } catch (error) {
    await stage.tidy();
    throw error;
  }
}

const sessionOf = (name: string, mrenclave: string): string => `name: ${name}
version: "0.3.12"
ensconce: {accept_simulation: true}
services:
  - {name: app, image_name: image, command: bench, attestation: [{mrenclave: ["${mrenclave}"]}]}
images:
  - name: image
    volumes: [{name: data, path: /data}]
    ensconce: {layers: [{root: "${'1'.repeat(64)}", key: "${'3'.repeat(64)}"}]}
volumes:
  - name: data
`;
