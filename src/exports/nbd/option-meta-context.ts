/** LIST_META_CONTEXT and SET_META_CONTEXT. */

import { OptionReply } from '../../protocols/nbd/constants.ts';
import {
  decodeMetaContextRequest,
  encodeMetaContext,
  type MetaContext,
} from '../../protocols/nbd/meta-context.ts';
import { listContexts, selectContexts } from './contexts.ts';
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
} from './option-rules.ts';

export const listMetaContextRule: OptionRule = {
  name: 'LIST_META_CONTEXT',
  takesData: true,
  beforeTls: false,
  run(context, data) {
    if (!chunksAgreed(context)) return refuseEarly();
    const { exportName, queries } = decodeMetaContextRequest(data);
    const item = lookUp(context, exportName);
    if (isRefusal(item)) return answer(item);
    const found = listContexts(item, queries);
    // The ids of a list mean nothing, and the protocol wants them 0.
    return answer(...found.map(({ name }) => contextAnswer({ id: 0, name })), ACK);
  },
};

export const setMetaContextRule: OptionRule = {
  name: 'SET_META_CONTEXT',
  takesData: true,
  beforeTls: false,
  run(context, data) {
    // Whatever was selected is gone, even if this fails.
    context.agreement.contexts = [];
    context.agreement.contextExport = null;
    if (!chunksAgreed(context)) return refuseEarly();
    const { exportName, queries } = decodeMetaContextRequest(data);
    const item = lookUp(context, exportName);
    if (isRefusal(item)) return answer(item);
    const selected = selectContexts(item, queries);
    context.agreement.contexts = selected;
    context.agreement.contextExport = item;
    return answer(...selected.map(contextAnswer), ACK);
  },
};

function chunksAgreed({ agreement }: OptionContext): boolean {
  return agreement.structuredReplies || agreement.extendedHeaders;
}

function refuseEarly(): OptionResult {
  return refuse(
    OptionReply.errInvalid,
    'Metadata contexts need structured replies or extended headers first',
  );
}

function contextAnswer(context: MetaContext): OptionAnswer {
  return { type: OptionReply.metaContext, data: encodeMetaContext(context) };
}
