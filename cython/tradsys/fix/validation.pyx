"""Body of the validation. The order of faults is that of `tradsys.fix.rules`, and so are the forms of values.

First one pass over the fields for syntax, for the order of header, body and trailer and for tags that are there twice, then
the required fields, then field by field, groups by recursion: as deep as the dictionary nests them, whatever a message says.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

cimport cython

from tradsys.fix.digits cimport date_of, fraction_of, second_of_day
from tradsys.fix.fields cimport FIELDS_MAX, GARBLED, FixField, read_fields

from tradsys.fix import rules
from tradsys.fix.tables import Tables

cdef enum:
    NEAR_TAGS = 65536
    TYPES = 65536
    HEADER = 0             # the first two sections
    TRAILER = 1
    PART_HEADER = 1
    PART_TRAILER = 2
    PLACE_WORDS = 8        # PLACES_MAX / 64
    # SessionRejectReason, 373
    INVALID_TAG = 0
    REQUIRED_TAG_MISSING = 1
    TAG_NOT_IN_MESSAGE = 2
    NO_VALUE = 4
    VALUE_INCORRECT = 5
    BAD_FORMAT = 6
    INVALID_MSG_TYPE = 11
    REPEATED_TAG = 13
    OUT_OF_ORDER = 14
    GROUP_OUT_OF_ORDER = 15
    GROUP_COUNT = 16
    # forms
    FORM_TEXT = 0
    FORM_WHOLE = 1
    FORM_COUNTED = 2
    FORM_DECIMAL = 3
    FORM_DATE = 4
    FORM_BOOLEAN = 5
    FORM_CHAR = 6
    FORM_DAY_OF_MONTH = 7
    FORM_MONTH = 8
    FORM_TIME_OF_DAY = 9
    FORM_TIMESTAMP = 10

FORMS = {
    rules.is_text: FORM_TEXT, rules.is_whole: FORM_WHOLE, rules.is_counted: FORM_COUNTED,
    rules.is_decimal: FORM_DECIMAL, rules.is_date: FORM_DATE, rules.is_boolean: FORM_BOOLEAN, rules.is_char: FORM_CHAR,
    rules.is_day_of_month: FORM_DAY_OF_MONTH, rules.is_month: FORM_MONTH,
    rules.is_time_of_day: FORM_TIME_OF_DAY, rules.is_timestamp: FORM_TIMESTAMP,
}


# ------------------------------------------------------------------------------------------ forms of values

cdef inline bint _are_digits(const uint8_t* text, int32_t begin, int32_t end) noexcept nogil:
    cdef int32_t i
    for i in range(begin, end):
        if not c"0" <= text[i] <= c"9":
            return False
    return True


cdef inline int32_t _pair(const uint8_t* text) noexcept nogil:
    """Two digits as a number; 100 and more: they are none."""
    if not c"0" <= text[0] <= c"9" or not c"0" <= text[1] <= c"9":
        return 100
    return (text[0] - c"0") * 10 + (text[1] - c"0")


cdef bint _is_whole(const uint8_t* text, int32_t size, bint is_signed) noexcept nogil:
    cdef int32_t begin = is_signed and text[0] == c"-"
    return 1 <= size - begin <= 18 and _are_digits(text, begin, size)


cdef bint _is_decimal(const uint8_t* text, int32_t size) noexcept nogil:
    cdef int32_t i, digits = 0, points = 0
    for i in range(1 if text[0] == c"-" else 0, size):
        if c"0" <= text[i] <= c"9":
            digits += 1
        elif text[i] == c".":
            points += 1
        else:
            return False
    return digits > 0 and points <= 1


cdef inline bint _is_time_of_day(const uint8_t* text, int32_t size) noexcept nogil:
    """HH:MM:SS and 0, 3, 6 or 9 digits; the second may be 60."""
    if size < 8 or second_of_day(text) < 0:
        return False
    if size == 8:
        return True
    return (size == 15 or size == 12 or size == 18) and fraction_of(text + 8, size - 9) >= 0


cdef bint _is_month(const uint8_t* text, int32_t size) noexcept nogil:
    if size == 8 and text[6] != c"w":
        return date_of(text) != 0
    if size != 6 and (size != 8 or not c"1" <= text[7] <= c"5"):
        return False
    return _are_digits(text, 0, 4) and 1 <= _pair(text + 4) <= 12


cdef bint _is_day_of_month(const uint8_t* text, int32_t size) noexcept nogil:
    cdef int32_t day = 0, i
    if not _is_whole(text, size, False):
        return False
    for i in range(size):
        day = min(day * 10 + (text[i] - c"0"), 99)
    return 1 <= day <= 31


# ------------------------------------------------------------------------------------------ the validator

@cython.final
cdef class Validator:
    """The rules of one dictionary, compiled.

    Parameters
    ----------
    dictionary : Dictionary
        As ``tradsys.fix.dictionary.load`` reads it.
    strict : bool
        Whether tags the message does not have are faults, and the order within an entry counts.

    Raises
    ------
    InputError
        A section has more than 512 members, or there are more than 32,767 sections or fields.
    """

    def __cinit__(self, dictionary, bint strict=False):
        tables = Tables(dictionary)
        self.strict = strict
        self.field_count = len(tables.fields) + 1
        self.long_types = tables.long_types
        self.field_ids = <uint16_t*> calloc(NEAR_TAGS, sizeof(uint16_t))
        self.types = <int32_t*> calloc(TYPES, sizeof(int32_t))
        self.rules = <FieldRule*> calloc(self.field_count, sizeof(FieldRule))
        self.words = <Word*> calloc(len(tables.words) + 1, sizeof(Word))
        self.text = <uint8_t*> calloc(len(tables.text) + 1, 1)
        self.required = <int32_t*> calloc(len(tables.required) + 1, sizeof(int32_t))
        self.places = <Place*> calloc(len(tables.sections) * self.field_count, sizeof(Place))
        self.sections = <SectionRule*> calloc(len(tables.sections), sizeof(SectionRule))
        self.fields = <FixField*> calloc(FIELDS_MAX, sizeof(FixField))
        self.present = <uint64_t*> calloc(self.field_count, sizeof(uint64_t))
        if (self.field_ids == NULL or self.types == NULL or self.rules == NULL or self.words == NULL or self.text == NULL
                or self.required == NULL or self.places == NULL or self.sections == NULL or self.fields == NULL
                or self.present == NULL):
            raise MemoryError("tables of a FIX dictionary")
        _fill_fields(self, tables)
        _fill_sections(self, tables)

    def __dealloc__(self):
        free(self.field_ids)
        free(self.types)
        free(self.rules)
        free(self.words)
        free(self.text)
        free(self.required)
        free(self.places)
        free(self.sections)
        free(self.fields)
        free(self.present)

    cdef int validate(self, const uint8_t* message, int64_t size, int* fault_tag) noexcept nogil:
        fault_tag[0] = 0
        self.count = read_fields(message, size, self.fields)
        return NO_MESSAGE if self.count == GARBLED else self.validate_fields(message, fault_tag)

    cdef int validate_fields(self, const uint8_t* message, int* fault_tag) noexcept nogil:
        cdef int32_t body = _body_of(self, message), header_end, body_end = 0, end = 0
        cdef int32_t twice[3]  # first tag that is there twice, of header, body, trailer; 0: none
        cdef int reason
        fault_tag[0] = 0
        self.round_ += 3
        header_end = _cut(self, &self.sections[body], &body_end, twice, &reason, fault_tag)
        if reason != VALID:
            return reason
        if body == 0:
            return INVALID_MSG_TYPE
        if twice[0] or twice[1] or twice[2]:
            fault_tag[0] = twice[0] or twice[2] or twice[1]
            return REPEATED_TAG
        reason = _missing(self, &self.sections[HEADER], self.round_, fault_tag)
        if reason == VALID:
            reason = _missing(self, &self.sections[TRAILER], self.round_ + 2, fault_tag)
        if reason == VALID:
            reason = _missing(self, &self.sections[body], self.round_ + 1, fault_tag)
        if reason == VALID:
            reason = _check_section(self, message, HEADER, 0, header_end, False, &end, fault_tag)
        if reason == VALID:
            reason = _check_section(self, message, TRAILER, body_end, self.count, False, &end, fault_tag)
        if reason == VALID:
            reason = _check_section(self, message, body, header_end, body_end, False, &end, fault_tag)
        return reason

    def check(self, bytes message not None):
        """Find the fault of a message: SessionRejectReason and tag, or None; (100, None): it is garbled."""
        cdef int fault_tag = 0
        cdef int reason = self.validate(message, len(message), &fault_tag)
        if reason == VALID:
            return None
        return reason, (None if reason == NO_MESSAGE or reason == INVALID_MSG_TYPE else fault_tag)


# ------------------------------------------------------------------------------------------ header, body, trailer

cdef int32_t _body_of(Validator self, const uint8_t* message) noexcept nogil:
    """The section of the body of the message's type; 0: there is no such type."""
    cdef const uint8_t* text = message + self.fields[2].offset
    if self.fields[2].size == 1:
        return self.types[text[0]]
    if self.fields[2].size == 2:
        return self.types[text[0] << 8 | text[1]] if text[0] else 0
    return _long_body_of(self, message) if self.long_types is not None else 0


cdef int32_t _long_body_of(Validator self, const uint8_t* message) noexcept with gil:
    cdef int32_t begin = self.fields[2].offset
    return self.long_types.get((<const char*> message)[begin:begin + self.fields[2].size], 0)


cdef int32_t _id_of(Validator self, int32_t tag) noexcept nogil:
    """The field_id of a tag from 65536 on."""
    cdef int32_t field_id
    for field_id in range(self.far_begin, self.field_count):
        if self.rules[field_id].tag == tag:
            return field_id
    return 0


cdef int32_t _cut(Validator self, const SectionRule* body, int32_t* body_end, int32_t* twice, int* reason,
                  int* fault_tag) noexcept nogil:
    """Count the fields before body and trailer; number them, and note in which part each was seen."""
    cdef int32_t position, header_end = self.count, tag
    cdef int part, seen = 0  # PART_HEADER: the header has ended; PART_TRAILER: so has the body
    cdef FixField* fields = self.fields  # here and below: what is written could be these, to the compiler
    cdef FixField* field
    cdef const uint16_t* field_ids = self.field_ids
    cdef const FieldRule* known = self.rules
    cdef uint64_t* present = self.present
    cdef uint64_t round_ = self.round_
    cdef const Place* places = body.places
    cdef int32_t field_id, count = self.count, section
    cdef bint is_passing = not self.strict
    body_end[0] = self.count
    twice[0] = twice[1] = twice[2] = 0
    reason[0] = VALID
    for position in range(count):
        field = &fields[position]
        tag = field.tag
        if tag < 1 or field.size == 0:
            reason[0] = INVALID_TAG if tag < 1 else NO_VALUE
            fault_tag[0] = tag
            return 0
        field_id = field_ids[tag] if tag < NEAR_TAGS else _id_of(self, tag)
        field.field_id = <int16_t> field_id
        part = known[field_id].part
        if part != PART_HEADER and not seen & PART_HEADER:
            header_end = position
            seen |= PART_HEADER
        if part & PART_TRAILER and not seen & PART_TRAILER:
            body_end[0] = position
            seen |= PART_TRAILER
        if (part & seen & PART_HEADER) or (seen & PART_TRAILER and not part & PART_TRAILER):
            if reason[0] == VALID:
                reason[0] = OUT_OF_ORDER
                fault_tag[0] = tag
        section = (seen & PART_HEADER) + (seen >> 1)  # 0 the header, 1 the body, 2 the trailer
        if present[field_id] == round_ + section and twice[section] == 0:
            twice[section] = _repeated(self, body if section == 1 else &self.sections[section >> 1], field_id)
        present[field_id] = round_ + section
        field.is_passed = is_passing and seen == PART_HEADER and not places[field_id].is_inside
    return header_end


cdef int32_t _repeated(Validator self, const SectionRule* section, int32_t field_id) noexcept nogil:
    """The tag of a field that is there twice; 0: it may be, or is looked at with the entries of groups."""
    cdef Place place = section.places[field_id]
    return self.rules[field_id].tag if place.place >= 0 and not place.is_grouped else 0


cdef int _missing(Validator self, const SectionRule* section, uint64_t round_, int* fault_tag) noexcept nogil:
    """Find a required field that is not in its part."""
    cdef int32_t index
    for index in range(section.required_begin, section.required_end):
        if self.present[self.required[index]] != round_:
            fault_tag[0] = self.rules[self.required[index]].tag
            return REQUIRED_TAG_MISSING
    return VALID


# ------------------------------------------------------------------------------------------ field by field

cdef int _check_section(Validator self, const uint8_t* message, int32_t section, int32_t begin, int32_t end, bint is_entry,
                        int32_t* stop, int* fault_tag) noexcept nogil:
    """Look at the fields of one section, or of one entry of a group; say also where it ends."""
    cdef uint64_t seen[PLACE_WORDS]
    cdef const Place* places = self.sections[section].places
    cdef const FixField* fields = self.fields
    cdef const FixField* field
    cdef bint is_strict = self.strict
    cdef Place place
    cdef int32_t position = begin, last_place = -1, index
    cdef int reason
    memset(seen, 0, sizeof(seen))
    while position < end:
        field = &fields[position]
        if field.is_passed:
            position += 1
            continue
        place = places[field.field_id]
        if is_entry and (place.place < 0 or (place.place == 0 and position > begin)):
            break
        if place.place >= 0 and seen[place.place >> 6] >> (place.place & 63) & 1:
            reason = REPEATED_TAG
        else:
            reason = _check_value(self, message, field)
            if reason == VALID and place.place < 0:
                reason = TAG_NOT_IN_MESSAGE
            elif reason == VALID and is_entry and is_strict and place.place < last_place:
                reason = GROUP_OUT_OF_ORDER
        if reason != VALID:
            fault_tag[0] = field.tag
            return reason
        last_place = place.place
        seen[last_place >> 6] |= (<uint64_t> 1) << (last_place & 63)
        position += 1
        if place.group >= 0:
            reason = _check_group(self, message, place.group, field, &position, end, fault_tag)
            if reason != VALID:
                return reason
    stop[0] = position
    if is_entry:
        for index in range(self.sections[section].required_begin, self.sections[section].required_end):
            last_place = places[self.required[index]].place
            if not seen[last_place >> 6] >> (last_place & 63) & 1:
                fault_tag[0] = self.rules[self.required[index]].tag
                return REQUIRED_TAG_MISSING
    return VALID


cdef int _check_group(Validator self, const uint8_t* message, int32_t section, const FixField* counter, int32_t* position,
                      int32_t end, int* fault_tag) noexcept nogil:
    """Look at the entries of a group."""
    cdef const Place* places = self.sections[section].places
    cdef int64_t entries = 0, count = 0
    cdef int32_t place, i
    cdef const uint8_t* text = message + counter.offset
    cdef int reason
    while position[0] < end:
        if self.fields[position[0]].is_passed:
            position[0] += 1
            continue
        place = places[self.fields[position[0]].field_id].place
        if place < 0:
            break
        if place > 0:
            fault_tag[0] = self.fields[position[0]].tag
            return GROUP_OUT_OF_ORDER
        entries += 1
        reason = _check_section(self, message, section, position[0], end, True, position, fault_tag)
        if reason != VALID:
            return reason
    for i in range(1 if text[0] == c"-" else 0, counter.size):
        count = count * 10 + (text[i] - c"0")
    if (-count if text[0] == c"-" else count) != entries:
        fault_tag[0] = counter.tag
        return GROUP_COUNT
    return VALID


# ------------------------------------------------------------------------------------------ values

cdef inline int _check_value(Validator self, const uint8_t* message, const FixField* field) noexcept nogil:
    cdef const FieldRule* rule = &self.rules[field.field_id]
    cdef const uint8_t* text = message + field.offset
    if field.field_id == 0:
        return INVALID_TAG
    if rule.form != FORM_TEXT and not _has_form(self, rule.form, text, field.size):
        return BAD_FORMAT
    if rule.is_closed:
        if field.size == 1:
            return VALID if rule.letters[text[0] >> 6] >> (text[0] & 63) & 1 else VALUE_INCORRECT
        return VALID if _is_listed(self, rule, text, field.size) else VALUE_INCORRECT
    return VALID


cdef bint _has_form(Validator self, int form, const uint8_t* text, int32_t size) noexcept nogil:
    if form == FORM_TIMESTAMP:
        return size >= 17 and date_of(text) != 0 and text[8] == c"-" and _is_time_of_day(text + 9, size - 9)
    if form == FORM_DECIMAL:
        return _is_decimal(text, size)
    if form == FORM_WHOLE or form == FORM_COUNTED:
        return _is_whole(text, size, form == FORM_WHOLE)
    if form == FORM_CHAR:
        return size == 1
    if form == FORM_BOOLEAN:
        return size == 1 and (text[0] == c"Y" or text[0] == c"N")
    if form == FORM_DATE:
        return size == 8 and date_of(text) != 0
    if form == FORM_TIME_OF_DAY:
        return _is_time_of_day(text, size)
    if form == FORM_MONTH:
        return _is_month(text, size)
    return _is_day_of_month(text, size)


cdef bint _is_listed(Validator self, const FieldRule* rule, const uint8_t* text, int32_t size) noexcept nogil:
    """Whether a value is among those listed; of a list each."""
    cdef int32_t begin = 0, end
    if not rule.is_list:
        return _is_word(self, rule, text, size)
    for end in range(size):
        if text[end] == c" ":
            if not _is_word(self, rule, text + begin, end - begin):
                return False
            begin = end + 1
    return _is_word(self, rule, text + begin, size - begin)


cdef bint _is_word(Validator self, const FieldRule* rule, const uint8_t* text, int32_t size) noexcept nogil:
    cdef uint64_t start = 0
    cdef const Word* word
    cdef int32_t index
    if size == 1:
        return rule.letters[text[0] >> 6] >> (text[0] & 63) & 1
    memcpy(&start, text, min(size, 8))
    for index in range(rule.words_begin, rule.words_end):
        word = &self.words[index]
        if word.start == start and word.size == size and memcmp(self.text + word.offset, text, size) == 0:
            return True
    return False


# ------------------------------------------------------------------------------------------ building

cdef int _fill_fields(Validator self, tables) except -1:
    cdef FieldRule* rule
    cdef int32_t field_id, index, letter
    self.far_begin = self.field_count
    for index, (offset, text) in enumerate(tables.words):
        self.words[index].offset, self.words[index].size = offset, len(text)
        memcpy(&self.words[index].start, <const char*> text, min(len(text), 8))
    memcpy(self.text, <const char*> (<bytes> tables.text), len(tables.text))
    for field_id, row in enumerate(tables.fields, 1):
        rule = &self.rules[field_id]
        rule.tag, rule.part = row.tag, row.part
        rule.form = FORMS[rules.FORMATS.get(row.type_name, rules.is_text)]
        rule.is_closed, rule.is_list = row.is_closed, row.is_list
        rule.words_begin, rule.words_end = row.words
        for letter in row.letters:
            rule.letters[letter >> 6] |= (<uint64_t> 1) << (letter & 63)
        if rule.tag < NEAR_TAGS:
            self.field_ids[rule.tag] = field_id
        else:
            self.far_begin = min(self.far_begin, field_id)
    return 0


cdef int _fill_sections(Validator self, tables) except -1:
    cdef int32_t section, index
    cdef Place* place
    for index in range(len(tables.sections) * self.field_count):
        self.places[index].place = self.places[index].group = -1
    for section, row in enumerate(tables.sections):
        self.sections[section].places = self.places + section * self.field_count
        self.sections[section].required_begin, self.sections[section].required_end = row.required
        for field_id, (order, group) in row.members.items():
            place = self.places + section * self.field_count + <int32_t> field_id
            place.place, place.group = order, group
        for field_id in row.inside:
            self.places[section * self.field_count + <int32_t> field_id].is_inside = 1
        for field_id in row.grouped:
            self.places[section * self.field_count + <int32_t> field_id].is_grouped = 1
    for index in range(len(tables.required)):
        self.required[index] = tables.required[index]
    for key, section in tables.types.items():
        self.types[<int32_t> key] = section
    return 0
