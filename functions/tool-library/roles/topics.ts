import { z } from 'zod';

/** What the clustering roles are shown of a tool, and how they number it. */
export const TopicToolSchema = z.strictObject({
  name: z.string(),
  description: z.string(),
  tags: z.array(z.string()),
});
export type TopicTool = z.infer<typeof TopicToolSchema>;

/** What was wrong with the answer before, so that the next is another. */
export const FeedbackSchema = z.array(z.string()).optional();

const SHOWN_CHARS = 160;

/** A tool as these roles see it: a docstring may be a page long. */
export const topicTool = ({ name, description, tags }: TopicTool): TopicTool => ({
  name,
  description: description.slice(0, 4 * SHOWN_CHARS),
  tags,
});

/** "1. name [tags] description", one a line; descriptions are cut. */
export const numbered = (tools: readonly TopicTool[]): string =>
  tools
    .map(({ name, tags, description }, index) => {
      const tagged = tags.length === 0 ? '' : ` [${tags.join(', ')}]`;
      return `${index + 1}. ${name}${tagged} ${description.replace(/\s+/g, ' ').slice(0, SHOWN_CHARS)}`;
    })
    .join('\n');

export const feedbackText = (feedback: readonly string[] | undefined): string | undefined =>
  feedback && feedback.length > 0 ? feedback.slice(0, 20).join('\n') : undefined;
