"""Packets as agents write them, of any size."""


def make(agent, size):
    """A well-formed packet of exactly `size` bytes (at least 200), without a newline at its end."""
    head = ("<?xml version='1.0' encoding='UTF-8'?>\n"
            f"<agent_data os_name='Linux' interval='300' timestamp='2026/11/23 04:33:00' agent_name='{agent}'>\n")
    tail = "<module><name>pad</name><type>generic_data_string</type><data><![CDATA[{}]]></data></module>\n</agent_data>"
    room = size - len(head) - len(tail) + 2
    if room < 0:
        raise ValueError(f"a packet has at least {size - room} bytes")
    return (head + tail.format("x" * room)).encode()
