"""The local batch service: a faithful, durable, faulty-on-demand stand-in for the OpenAI and Anthropic batch APIs."""
