"""Common given names that are no other words."""

from __future__ import annotations

from acestep_mcp.readers.words import word_set

GIVEN_NAMES = word_set(
    "aaron abby abigail adam adrian aidan aisha alan alejandro alex alexander alexandra alice alicia alina alison amanda "
    "amelia amina amy ana andrea andrew andy angela anita anna anne annie anthony antonio ariana arthur ashley audrey ava "
    "barbara beatrice becky ben benjamin bella bernard beth betty bob bobby brandon brenda brian bruno caleb camila carla "
    "carlos carmen carol caroline carolyn catherine cathy charles charlie charlotte chloe chris christian christina christine "
    "christopher claire clara connor craig cynthia dan daniel daniela danny dave david deborah debbie dennis derek diana "
    "diane diego donald donna doris dorothy dylan eddie edward eleanor elena eli elias elijah elise elizabeth ella ellen "
    "ellie elliot emily emma eric erica erik erin ethan eva evan evelyn fatima felix fiona florence fred frida gabriel gary "
    "george georgia gina giulia gloria greg gregory hannah hans harold harriet harry heather hector helen helena henry hugo "
    "ian ibrahim ingrid irene isaac isabel isabella isla jacob jake james jamie jane janet jason javier jeff jeffrey jen "
    "jenna jennifer jenny jeremy jerry jess jessica jessie jill jim jimmy joan joanna joe joel johan john johnny jonas "
    "jonathan jordan jorge jose joseph josh joshua juan judith judy julia julian julie justin karen karl kate katherine "
    "kathleen kathy katie kayla keith kelly kenneth kevin kim kyle laura lauren layla lea leah lena leo leon leonard liam "
    "lina linda lisa liz logan louis louise luca lucas lucia lucy luis luke luna lydia madison maggie manuel marcus margaret "
    "maria marie marina mario martha martin mary mateo matt matthew maya megan melanie melissa mia michael michelle miguel "
    "mike mila mohammed molly monica nadia naomi natalie natasha nathan nicholas nicole nina noah noel nora olga oliver "
    "olivia omar oscar owen pablo pamela patricia patrick paul paula pedro peter philip phoebe priya quentin rachel ralph "
    "raymond rebecca ricardo richard rita robert roberto roger ronald rosa rosie roy ryan sam samantha samuel sandra sara "
    "sarah scott sean sebastian sergio shannon sharon shirley simon sofia sonia sophia sophie stacy stefan stella stephanie "
    "stephen steve steven stuart susan suzanne sylvia tamara tanya teresa tessa theo theresa thomas tiffany tim timothy tina "
    "todd tom tommy tony tracy travis trevor tyler valerie vanessa vera veronica vincent virginia walter wendy william xavier "
    "yasmin yusuf zach zachary zoe "
)
