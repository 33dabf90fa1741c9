/** EXPORT_NAME, INFO and GO: the choice of an export. */

import { Info, OptionReply } from '../../protocols/nbd/constants.ts';
import { FrameReader } from '../../protocols/nbd/frame-reader.ts';
import { encodeExportReply } from '../../protocols/nbd/handshake.ts';
import { decodeInfoRequest, encodeInfo, type InfoBlock } from '../../protocols/nbd/info.ts';
import type { NbdExport } from './exports.ts';
import {
  ACK,
  answer,
  isRefusal,
  lookUp,
  type OptionAnswer,
  type OptionContext,
  type OptionResult,
  type OptionRule,
  refuse,
  refuseDmError,
} from './option-rules.ts';
import { blockSizes, exportSizeBytes, openSession, transmissionFlags } from './session.ts';

/** The old way: no refusal can be answered, only a hang-up. */
export const exportNameRule: OptionRule = {
  name: 'EXPORT_NAME',
  takesData: true,
  beforeTls: false,
  run(context, data) {
    const { agreement, tls, zeroes } = context;
    if (agreement.extendedHeaders) {
      return { next: 'close', reason: 'EXPORT_NAME after EXTENDED_HEADERS' };
    }
    const name = new FrameReader('NBD export name', data).rest('name');
    const item = lookUp(context, name);
    if (isRefusal(item)) return { next: 'close', reason: `no export is named "${name}"` };
    return refuseDmError<OptionResult>(
      () => {
        const session = openSession(item, agreement, { tls });
        const { sizeBytes, transmissionFlags: flags } = session;
        const rawAnswer = encodeExportReply({ sizeBytes, flags }, { zeroes });
        return { next: 'transmission', rawAnswer, session };
      },
      (error) => ({ next: 'close', reason: error.message }),
    );
  },
};

export const infoRule: OptionRule = {
  name: 'INFO',
  takesData: true,
  beforeTls: false,
  run(context, data) {
    const { exportName, infos } = decodeInfoRequest(data);
    const item = lookUp(context, exportName);
    if (isRefusal(item)) return answer(item);
    return answer(...infoAnswers(context, item, infos), ACK);
  },
};

export const goRule: OptionRule = {
  name: 'GO',
  takesData: true,
  beforeTls: false,
  run(context, data) {
    const { exportName, infos } = decodeInfoRequest(data);
    const item = lookUp(context, exportName);
    if (isRefusal(item)) return answer(item);
    return refuseDmError<OptionResult>(
      () => {
        const session = openSession(item, context.agreement, { tls: context.tls });
        const answers = [...infoAnswers(context, item, infos), ACK];
        return { next: 'transmission', answers, session };
      },
      (error) => refuse(OptionReply.errPolicy, error.message),
    );
  },
};

/** Size and block sizes always, since ours are not the protocol's defaults; names only for those who ask. */
function infoAnswers(
  { agreement }: OptionContext,
  item: NbdExport,
  infos: readonly number[],
): OptionAnswer[] {
  const blocks: InfoBlock[] = [
    {
      info: Info.export,
      sizeBytes: exportSizeBytes(item),
      flags: transmissionFlags(item, agreement),
    },
    { info: Info.blockSize, ...blockSizes(item.device.limits) },
  ];
  if (infos.includes(Info.name)) blocks.push({ info: Info.name, name: item.name });
  if (infos.includes(Info.description) && item.description !== '') {
    blocks.push({ info: Info.description, description: item.description });
  }
  return blocks.map((block) => ({ type: OptionReply.info, data: encodeInfo(block) }));
}
