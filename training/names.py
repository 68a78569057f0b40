"""Word lists: people and things. Knows nothing of problems."""

from __future__ import annotations

PEOPLE = tuple(
    """
    Ann Bob Tom Sue Max Eva Leo Mia Ben Amy Sam Kim Dan Liz Joe Meg Ron Ivy Tim Zoe Jack
    Emma Noah Lily Adam Rosa Paul Jane Mark Nina Carl Vera Luke Anna Eric Sara Hugo Clara
    Oscar Alice Peter Laura Simon Julia David Maria James Helen Frank Grace Henry Karen
    Kevin Linda Louis Marta Nora Olga Oliver Pablo Petra Ralf Rita Ruth Sofia Steve Tara
    Theo Tina Tony Ursula Victor Wendy Yara Yusuf Zara Ali Amir Aisha Chen Mei Li Wei Hiro
    Yuki Kenji Ravi Priya Arjun Omar Layla Fatima Hassan Igor Elena Dmitri Lars Ingrid Sven
    Freya Pierre Marie Luc Chloe Marco Giulia Luca Bianca Diego Carmen Jose Ana Joao Ines
    Kofi Ama Nia Zuri Kwame Finn Maeve Liam Aoife Gus Walt Otto Emil Ida Jonas
    """.split()
)

THINGS = tuple(
    """
    apples books pens coins cards eggs shells stones stickers marbles balls cookies plums
    pears flowers stamps tickets candles keys cups plates bottles boxes toys trees chairs
    hats shirts socks pencils oranges lemons nuts beads bricks photos letters maps ropes
    spoons
    """.split()
)

ATTRIBUTES = tuple(
    """
    code age score room number price seat locker badge height weight pin rank grade level
    speed distance count year page floor line box table key ticket
    """.split()
)

OBJECTS = tuple(
    """
    lamp desk chair bike tent drum boat kite vase rug clock phone radio piano guitar camera
    laptop sofa mirror ladder hammer bucket basket blanket pillow kettle toaster fridge oven
    fan
    """.split()
)
