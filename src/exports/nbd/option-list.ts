/** LIST and ABORT. */

import { OptionReply } from '../../protocols/nbd/constants.ts';
import { encodeListedExport } from '../../protocols/nbd/handshake.ts';
import { ACK, answer, type OptionRule } from './option-rules.ts';

export const listRule: OptionRule = {
  name: 'LIST',
  takesData: false,
  beforeTls: false,
  run(context) {
    const entries = context.exports.list().map((item) => ({
      type: OptionReply.server,
      data: encodeListedExport(item),
    }));
    return answer(...entries, ACK);
  },
};

/** A client should send no data with it; what it sends is ignored all the same. */
export const abortRule: OptionRule = {
  name: 'ABORT',
  takesData: true,
  beforeTls: true,
  run: () => ({ next: 'end', answers: [ACK] }),
};
