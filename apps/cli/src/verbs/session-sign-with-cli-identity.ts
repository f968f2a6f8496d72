import { sessionSign } from './session-sign.ts';
import type { Verb } from '../verb.ts';

/** SCONE's name for signing with the key of the command line itself. */
export const sessionSignWithCliIdentity: Verb = {
  ...sessionSign,
  name: 'session sign-with-cli-identity',
  summary: 'the same as session sign without --key, under SCONE’s name',
  examples: ['ensconce session sign-with-cli-identity session.yml -o session.signed'],
};
