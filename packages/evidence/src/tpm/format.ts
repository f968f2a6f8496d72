import { isTpmEvidence, parseTpmEvidence } from './envelope.ts';
import type { Format } from '../format.ts';

export const tpmFormat: Format = { name: 'tpm', recognises: isTpmEvidence, fields: parseTpmEvidence };
