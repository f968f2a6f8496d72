import type { Verb } from './verb.ts';
import { casAttest } from './verbs/cas-attest.ts';
import { casList } from './verbs/cas-list.ts';
import { casMeasure } from './verbs/cas-measure.ts';
import { casServe } from './verbs/cas-serve.ts';
import { casShowIdentification } from './verbs/cas-show-identification.ts';
import { casVerifyAuditLog } from './verbs/cas-verify-audit-log.ts';
import { completion } from './verbs/completion.ts';
import { evidenceShow } from './verbs/evidence-show.ts';
import { evidenceVerify } from './verbs/evidence-verify.ts';
import { image } from './verbs/image.ts';
import { lasServe } from './verbs/las-serve.ts';
import { run } from './verbs/run.ts';
import { selfShow } from './verbs/self-show.ts';
import { selfShowCertificate } from './verbs/self-show-certificate.ts';
import { selfShowKeyHash } from './verbs/self-show-key-hash.ts';
import { sessionCalculateHash } from './verbs/session-calculate-hash.ts';
import { sessionCheck } from './verbs/session-check.ts';
import { sessionCreate } from './verbs/session-create.ts';
import { sessionDiff } from './verbs/session-diff.ts';
import { sessionExplain } from './verbs/session-explain.ts';
import { sessionRead } from './verbs/session-read.ts';
import { sessionSchemaVerb } from './verbs/session-schema.ts';
import { sessionUpdate } from './verbs/session-update.ts';
import { sessionVerify } from './verbs/session-verify.ts';

/** Every verb, in the order of --help. */
export const verbs: readonly Verb[] = [
  image,
  run,
  casServe,
  casAttest,
  casList,
  casShowIdentification,
  casMeasure,
  lasServe,
  evidenceVerify,
  evidenceShow,
  casVerifyAuditLog,
  sessionCheck,
  sessionCreate,
  sessionUpdate,
  sessionRead,
  sessionVerify,
  sessionCalculateHash,
  sessionExplain,
  sessionDiff,
  sessionSchemaVerb,
  selfShow,
  selfShowKeyHash,
  selfShowCertificate,
  completion,
];
