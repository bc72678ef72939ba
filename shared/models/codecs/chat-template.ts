import { Template } from '@huggingface/jinja';
import type { Message, ModelEntry } from '../types.ts';
import { unsent } from '../providers/errors.ts';
import type { TEMPLATE_NAMES } from './support.ts';

/**
 * Templates of the common model families, by name. A model whose own differs gives its Jinja text (`chat_template` of
 * its tokenizer_config.json) in the registry.
 */
const NAMED: Record<(typeof TEMPLATE_NAMES)[number], string> = {
  chatml:
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{{ '<|im_start|>assistant\\n' }}",
  llama3:
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + m.content + '<|eot_id|>' }}{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}",
  // These two families have no system role: its text opens the first user turn.
  gemma:
    "{{ bos_token }}{% for m in merged %}{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else 'user') + '\\n' + m.content + '<end_of_turn>\\n' }}{% endfor %}{{ '<start_of_turn>model\\n' }}",
  mistral:
    "{{ bos_token }}{% for m in merged %}{% if m.role == 'assistant' %}{{ ' ' + m.content + '</s>' }}{% else %}{{ '[INST] ' + m.content + ' [/INST]' }}{% endif %}{% endfor %}",
  plain: "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n\\n' }}{% endfor %}{{ 'assistant:' }}",
};

interface Turn {
  role: string;
  content: string;
}

/** System text moved to the front of the user turn that follows it. */
function withoutSystem(turns: Turn[]): Turn[] {
  const merged: Turn[] = [];
  let system = '';
  for (const turn of turns) {
    if (turn.role === 'system') {
      system += `${turn.content}\n\n`;
    } else if (turn.role === 'user' && system) {
      merged.push({ role: 'user', content: system + turn.content });
      system = '';
    } else merged.push(turn);
  }
  if (system) merged.push({ role: 'user', content: system.trimEnd() });
  return merged;
}

const compiled = new Map<string, Template>();

/**
 * The prompt text of a conversation under the model's chat template, ready for the assistant's answer.
 * The beginning-of-text token is left to the server's tokenizer, which adds it.
 * @throws ProviderError BAD_REQUEST when the template refuses the conversation or it holds images.
 */
export function renderPrompt(messages: Message[], model: ModelEntry): string {
  const turns = messages.map((message) => {
    if (typeof message.content === 'string') return { role: message.role, content: message.content };
    const content = message.content.map((part) => {
      if (part.type !== 'text')
        throw unsent('BAD_REQUEST', `The codec generate of ${model.name} takes no images.`);
      return part.text;
    });
    return { role: message.role, content: content.join('') };
  });
  const text =
    (NAMED as Record<string, string | undefined>)[model.chatTemplate ?? 'plain'] ?? model.chatTemplate!;
  try {
    let template = compiled.get(text);
    if (!template) compiled.set(text, (template = new Template(text)));
    return template.render({
      messages: turns,
      merged: withoutSystem(turns),
      add_generation_prompt: true,
      bos_token: '',
      eos_token: '',
    });
  } catch (error) {
    throw unsent('BAD_REQUEST', `The chat template of ${model.name} cannot render this conversation.`, error);
  }
}
