import { call } from '@ensconce/api/call';
import { routes } from '@ensconce/api/routes';
import { say, withSayOptions, type SayOptions } from '../sign/say.ts';
import type { Verb } from '../verb.ts';

export const sessionVeto: Verb = {
  name: 'session veto',
  summary:
    'say no to a pending update or deletion, for good; it is dropped once it cannot be approved without this key',
  examples: ['ensconce session veto team/app --key board-1.pem', 'ensconce session veto team/app 3f2a'],
  define(command, io) {
    withSayOptions(command).action(async (name: string, hash: string | undefined, options: SayOptions) => {
      await say(
        io,
        { name, hash, options },
        {
          sign: (signer) => signer.veto,
          send: (cas, chosen, veto) =>
            call(cas, routes.vetoSession, { parameters: { name }, body: { hash: chosen, veto } }),
        },
      );
    });
  },
};
