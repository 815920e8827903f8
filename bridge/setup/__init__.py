"""``bridge init``: from nothing to the first real message.

::

    journey        the whole way; saves what was accepted after each part
    slack_app      part 1: the app's link (create_app), its two tokens
    instance       part 2: id, token and address of the GREEN-API instance
    linking, qr    part 2: a phone is linked to it
    preferences    part 2: its notification settings
    first_message  part 3: the bridge runs until the first /whatsapp has come

    pastes         what a pasted text is, by its form
    draft          the values so far, and where they come from
    env_file       .env, changed in one step
    dialogue       the terminal
    waits          how long a second is
    png            a picture of a QR code → its modules

What is pasted is judged by the checks of ``doctor``; this room only asks, and saves.
"""
