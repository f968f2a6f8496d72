import type { Verb } from './verb.ts';
import { casAttest } from './verbs/cas-attest.ts';
import { casAttestAuditLog } from './verbs/cas-attest-audit-log.ts';
import { casList } from './verbs/cas-list.ts';
import { casMeasure } from './verbs/cas-measure.ts';
import { casServe } from './verbs/cas-serve.ts';
import { casShowIdentification } from './verbs/cas-show-identification.ts';
import { casShowCheckpoint } from './verbs/cas-show-checkpoint.ts';
import { casVerifyAuditLog } from './verbs/cas-verify-audit-log.ts';
import { casVerifyRecord } from './verbs/cas-verify-record.ts';
import { completion } from './verbs/completion.ts';
import { evidenceCollateralExport } from './verbs/evidence-collateral-export.ts';
import { evidenceCollateralFetch } from './verbs/evidence-collateral-fetch.ts';
import { evidenceCollateralImport } from './verbs/evidence-collateral-import.ts';
import { evidenceShow } from './verbs/evidence-show.ts';
import { evidenceVerify } from './verbs/evidence-verify.ts';
import { fspfCreateVolume } from './verbs/fspf-create-volume.ts';
import { image } from './verbs/image.ts';
import { lasServe } from './verbs/las-serve.ts';
import { run } from './verbs/run.ts';
import { certShowKeyHash } from './verbs/cert-show-key-hash.ts';
import { selfShowCertificateHash } from './verbs/self-show-certificate-hash.ts';
import { selfShowCertificate } from './verbs/self-show-certificate.ts';
import { selfShowKeyHash } from './verbs/self-show-key-hash.ts';
import { selfShowSessionSigningKey } from './verbs/self-show-session-signing-key.ts';
import { selfShow } from './verbs/self-show.ts';
import { sessionAddSignature } from './verbs/session-add-signature.ts';
import { sessionApprovals } from './verbs/session-approvals.ts';
import { sessionApprove } from './verbs/session-approve.ts';
import { sessionAudit } from './verbs/session-audit.ts';
import { sessionCalculateHash } from './verbs/session-calculate-hash.ts';
import { sessionCheck } from './verbs/session-check.ts';
import { sessionCreate } from './verbs/session-create.ts';
import { sessionDelete } from './verbs/session-delete.ts';
import { sessionDiff } from './verbs/session-diff.ts';
import { sessionEncrypt } from './verbs/session-encrypt.ts';
import { sessionExplain } from './verbs/session-explain.ts';
import { sessionMessage } from './verbs/session-message.ts';
import { sessionPropose } from './verbs/session-propose.ts';
import { sessionProposeDeletion } from './verbs/session-propose-deletion.ts';
import { sessionHistory } from './verbs/session-history.ts';
import { sessionList } from './verbs/session-list.ts';
import { sessionRead } from './verbs/session-read.ts';
import { sessionSchemaVerb } from './verbs/session-schema.ts';
import { sessionSignDeletion } from './verbs/session-sign-deletion.ts';
import { sessionSignWithCliIdentity } from './verbs/session-sign-with-cli-identity.ts';
import { sessionSign } from './verbs/session-sign.ts';
import { sessionUpdate } from './verbs/session-update.ts';
import { sessionVerify } from './verbs/session-verify.ts';
import { sessionVeto } from './verbs/session-veto.ts';
import { sessionWithdraw } from './verbs/session-withdraw.ts';
import { volumeAdd } from './verbs/volume-add.ts';
import { volumeCheck } from './verbs/volume-check.ts';
import { volumeCreate } from './verbs/volume-create.ts';
import { volumeExtract } from './verbs/volume-extract.ts';
import { volumeMount } from './verbs/volume-mount.ts';
import { volumeRekey } from './verbs/volume-rekey.ts';
import { volumeShow } from './verbs/volume-show.ts';
import { volumeUmount } from './verbs/volume-umount.ts';

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
  evidenceCollateralFetch,
  evidenceCollateralExport,
  evidenceCollateralImport,
  casVerifyAuditLog,
  casAttestAuditLog,
  casShowCheckpoint,
  casVerifyRecord,
  sessionCheck,
  sessionCreate,
  sessionUpdate,
  sessionRead,
  sessionList,
  sessionHistory,
  sessionDelete,
  sessionVerify,
  sessionAudit,
  sessionCalculateHash,
  sessionSign,
  sessionSignDeletion,
  sessionSignWithCliIdentity,
  sessionMessage,
  sessionAddSignature,
  sessionEncrypt,
  sessionPropose,
  sessionProposeDeletion,
  sessionApprovals,
  sessionApprove,
  sessionVeto,
  sessionWithdraw,
  sessionExplain,
  sessionDiff,
  sessionSchemaVerb,
  volumeCreate,
  volumeMount,
  volumeUmount,
  fspfCreateVolume,
  volumeShow,
  volumeCheck,
  volumeAdd,
  volumeExtract,
  volumeRekey,
  selfShow,
  selfShowKeyHash,
  selfShowCertificate,
  selfShowCertificateHash,
  selfShowSessionSigningKey,
  certShowKeyHash,
  completion,
];
